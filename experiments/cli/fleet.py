"""``orsched fleet``: policies on a fleet of groups, as a specification file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.fleet.spec import FleetExperiment

SpecPath = Annotated[Path | None, typer.Option("--spec", help="A specification (.toml); see docs/fleets.md.")]
ReadySpec = Annotated[str | None, typer.Option("--name", help="A ready specification; --list shows them.")]
ListSpecs = Annotated[bool, typer.Option("--list", help="List the ready specifications and fleet systems.")]
Out = Annotated[Path | None, typer.Option("--out", help="Also write tables, time line and summary to this folder.")]
OwnReplications = Annotated[
    int | None, typer.Option("--replications", min=1, help="Sample paths, in place of the specification's.")
]
OwnSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed, in place of the specification's.")]


def fleet(
    spec: SpecPath = None,
    name: ReadySpec = None,
    list_specs: ListSpecs = False,
    out: Out = None,
    replications: OwnReplications = None,
    seed: OwnSeed = None,
    workers: options.Workers = None,
    as_json: options.Json = False,
) -> None:
    """Run a fleet experiment: groups, links, tiers, policies and faults from a specification file."""
    if [spec is not None, name is not None, list_specs].count(True) != 1:
        raise InputError("give one of --spec FILE.toml, --name SPEC and --list")
    if list_specs:
        _list(as_json)
        return
    from experiments.fleet.asked import asked_experiment, named, specification_name
    from experiments.fleet.report import document, to_rich
    from experiments.fleet.run import run_fleet
    from experiments.fleet.summary import summarise
    from experiments.fleet.tables import notices
    from experiments.progress import progress_bar

    experiment = asked_experiment(spec, name, replications, seed, workers)
    folder = None if out is None else _folders(out, experiment)
    errors = error_console()
    with (
        named(specification_name(spec, name)),
        progress_bar(errors, "sample paths", experiment.replications) as advance,
    ):
        results = run_fleet(experiment, folder=folder, on_path_done=advance)
    summary = summarise(results)
    if out is not None:
        from experiments.fleet.first_path import first_path_logs
        from experiments.fleet.report import write_report
        from experiments.fleet.timeline import MOST_SHOWN

        with progress_bar(errors, "time line", min(MOST_SHOWN, len(experiment.contenders))) as advance:
            logs = first_path_logs(results, advance)
        for path in write_report(summary, logs, out):
            errors.out(f"wrote {path}", highlight=False)
    if as_json:
        for notice in notices(summary):
            errors.out(f"note: {notice}", highlight=False)
        print_json(document(summary))
    else:
        output_console().print(to_rich(summary))


def _folders(out: Path, experiment: FleetExperiment) -> Path | None:
    """Make the folder of the results, and the one in it for runs that are kept."""
    from experiments.fleet.kept_runs import REQUESTS_FOLDER, require_no_others
    from experiments.fleet.report import FILES
    from experiments.render.files import require_writable

    for file in FILES:
        require_writable(out / file, {Path(file).suffix})
    keep = experiment.keep_requests
    require_no_others(out, [one.label for one in experiment.contenders] if keep else [], experiment.replications)
    folder = out / REQUESTS_FOLDER if keep else out
    folder.mkdir(parents=True, exist_ok=True)
    return folder if keep else None


def _list(as_json: bool) -> None:
    from rich.table import Table

    from experiments.fleet.asked import listed

    rows = listed()
    if as_json:
        print_json(rows)
        return
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("specification", ""):
        grid.add_column(header, overflow="fold")
    for row in rows["specifications"]:
        grid.add_row(row["name"], row["description"])
    grid.add_section()
    grid.add_row("", "")
    grid.add_row("fleet system", "")
    for row in rows["systems"]:
        grid.add_row(row["name"], row["description"])
    output_console().print(grid)
