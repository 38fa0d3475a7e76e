"""The commands of ``orsched``."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.cli.bench import bench
from experiments.cli.bound import bound
from experiments.cli.calibrate import calibrate
from experiments.cli.check import check
from experiments.cli.demo import demo
from experiments.cli.doctor import doctor
from experiments.cli.evaluate import evaluate
from experiments.cli.fleet import fleet
from experiments.cli.gap_table import gap_table
from experiments.cli.heavy_traffic import heavy_traffic
from experiments.cli.hindsight import hindsight
from experiments.cli.listing import listing
from experiments.cli.report import report
from experiments.cli.reproduce import reproduce
from experiments.cli.results import results
from experiments.cli.run import run
from experiments.cli.trajectory import trajectory
from experiments.cli.validate import validate

app = typer.Typer(
    help="LLM inference as online scheduling: simulate policies, bound them, measure the gap.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"orsched {version('orsched')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo)
app.command("evaluate")(evaluate)
app.command("bound")(bound)
app.command("gap-table")(gap_table)
app.command("fleet")(fleet)
app.command("run")(run)
app.add_typer(results, name="results")
app.command("report")(report)
app.command("trajectory")(trajectory)
app.command("hindsight")(hindsight)
app.command("heavy-traffic")(heavy_traffic)
app.command("check")(check)
app.command("reproduce")(reproduce)
app.command("calibrate")(calibrate)
app.add_typer(validate, name="validate")
app.command("list")(listing)
app.add_typer(bench, name="bench")
app.command("doctor")(doctor)
