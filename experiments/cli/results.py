"""``orsched results``: what a results folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json

if TYPE_CHECKING:
    import pandas as pd

    from experiments.findings import Findings

results = typer.Typer(help="What a results folder holds: progress, tables, SQL, failures.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Results folder of `orsched run`.", show_default=False)]


@results.command("list")
def list_(dir: Folder, as_json: options.Json = False) -> None:
    """Show how many tasks are finished, failed and missing."""
    from experiments.render.results import frame_grid
    from experiments.results.folder import ResultsFolder
    from experiments.results.listing import listing

    counts = listing(ResultsFolder.open(dir))
    if as_json:
        print_json({"groups": _records(counts)})
        return
    console = output_console()
    console.print(frame_grid(counts))
    done, total = counts["finished"].sum(), counts["tasks"].sum()
    console.out(f"{done} of {total} places finished", highlight=False)


@results.command("export")
def export(
    dir: Folder,
    csv: Annotated[Path, typer.Option("--csv", help="File to write, .csv or .parquet.", show_default=False)],
) -> None:
    """Write the tidy table: one row per policy, sample path and metric, in a fixed order."""
    from experiments.findings import open_results
    from experiments.render.files import require_writable
    from experiments.results.export import ENDINGS, write_frame

    require_writable(csv, ENDINGS)
    findings = open_results(dir)
    frame = findings.frame()
    _warn(findings)
    write_frame(frame, csv)
    error_console().out(f"wrote {csv}: {len(frame)} rows", highlight=False)


@results.command("query")
def query(
    dir: Folder,
    sql: Annotated[str, typer.Argument(help="One SELECT over results, tasks and bounds.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the answer to a file, .csv or .parquet.")] = None,
    as_json: options.Json = False,
) -> None:
    """Answer one SQL SELECT over the views results (the tidy table), tasks and bounds; no file is in its reach."""
    from experiments.findings import open_results
    from experiments.render.files import require_writable
    from experiments.render.results import frame_grid
    from experiments.results.export import ENDINGS, write_frame

    if csv is not None:
        require_writable(csv, ENDINGS)
    findings = open_results(dir)
    found = findings.query(sql)
    _warn(findings)
    if csv is not None:
        write_frame(found, csv)
        error_console().out(f"wrote {csv}: {len(found)} rows", highlight=False)
    elif as_json:
        print_json({"rows": _records(found)})
    else:
        output_console().print(frame_grid(found))


@results.command("failures")
def failures(dir: Folder, as_json: options.Json = False) -> None:
    """Show the tasks that failed, with their tracebacks."""
    from experiments.findings import open_results

    found = open_results(dir).failures()
    if as_json:
        print_json({"failures": [failure.model_dump() for failure in found]})
        return
    console = output_console()
    for failure in found:
        console.out(f"{failure.what} (task {failure.task}, {failure.attempts} attempts, last {failure.when})")
        console.out(failure.traceback, highlight=False)
    console.out(f"{len(found)} failed")


@results.command("compact")
def compact(dir: Folder) -> None:
    """Put loose parts together; damaged files are set aside and named. A run does so by itself."""
    from experiments.orders.results import compacted

    folder, messages = compacted(dir)
    for message in messages:
        error_console().out(f"note: {message}", highlight=False)
    output_console().out(f"{len(folder.finished())} finished tasks in {len(folder.segments.paths())} segments")


@results.command("table")
def table(
    dir: Folder,
    metric: Annotated[
        str | None, typer.Option("--metric", help="Show a matrix of this metric: policies down, columns across.")
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", help="Also write a file, as `orsched gap-table` does. Repeatable; one table only."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Print the gap tables: a row per policy and column; one table per workload, fleet and predictor."""
    from experiments.findings import open_results
    from experiments.orders.results import finished_tables, known_metric
    from experiments.render import matrix, plain, terminal
    from experiments.render.files import MATRIX_WRITERS, WRITERS, require_writable, write
    from orsched.errors import InputError

    known_metric(metric)
    for path in output or ():
        require_writable(path, WRITERS if metric is None else MATRIX_WRITERS)
    findings = open_results(dir)
    _warn(findings)
    tables = finished_tables(findings)
    if output and len(tables) > 1:
        raise InputError(f"--output: {len(tables)} tables (workloads, fleets, predictors) do not go into one file")
    shown = [(one, None if metric is None else one.matrix(metric)) for one in tables]
    for path in output or ():
        write(shown[0][1] or shown[0][0], path)
        error_console().out(f"wrote {path}", highlight=False)
    if as_json:
        documents = [
            plain.table_document(one) if arranged is None else matrix.matrix_document(arranged)
            for one, arranged in shown
        ]
        print_json({"tables": documents})
        return
    for one, arranged in shown:
        output_console().print(terminal.to_rich(one) if arranged is None else matrix.to_rich(arranged))


def _warn(findings: Findings) -> None:
    """Say on standard error what is missing in what follows."""
    console = error_console()
    for message in findings.damaged:
        console.out(f"note: left out: {message}; run the experiment again to compute it anew", highlight=False)
    if findings.unfinished:
        console.out(f"note: {findings.unfinished} tasks are not finished", highlight=False)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values, null for what is missing or no finite number."""
    from experiments.render.plain import plain
    from experiments.render.results import absent

    rows = frame.astype(object).to_dict(orient="records")
    return [{str(name): None if absent(value) else plain(value) for name, value in row.items()} for row in rows]
