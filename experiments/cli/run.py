"""``orsched run``: an experiment from its specification into a results folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli import options
from experiments.cli.consoles import error_console, output_console, print_json
from experiments.cli.holding import interruptions_held

if TYPE_CHECKING:
    from experiments.execution.run import Ran
    from experiments.results.folder import ResultsFolder

FAILED = 1
"""Exit code when tasks failed, or intervals stayed wider than asked for."""


def run(
    context: typer.Context,
    spec: Annotated[str, typer.Argument(help="A specification (.toml), or the name of a ready one.")],
    out: Annotated[Path, typer.Option("--out", help="Results folder; an interrupted run goes on there.")],
    workers: options.Workers = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Compute on a Dask cluster: tcp://host:port of its scheduler.")
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option("--precision", help="Replicate until every mean is known to this share of it, as 0.02."),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Allow a folder of another experiment or other code; nothing is lost.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Run an experiment: whatever is not finished in its results folder, on all cores or on a cluster.

    Exits with 1 when tasks failed; what they raised is printed and kept, everything else is finished.
    """
    with interruptions_held():  # all large libraries are imported here, once
        import joblib  # noqa: F401
        import pandas  # noqa: F401
        import pyarrow.parquet  # noqa: F401

        import experiments.spec  # noqa: F401
        from experiments.execution.begin import begin, resolved, with_precision
        from experiments.execution.progress import shown_on

    experiment = resolved(spec)
    if precision is not None:
        experiment = with_precision(experiment, precision)
    begun = begin(experiment, out, where=spec, workers=workers, cluster=cluster, extend=extend)
    with shown_on(error_console()) as watcher:
        try:
            ran = begun.run(retry_failed=retry_failed, watcher=watcher)
        except KeyboardInterrupt:
            again = _again(spec, out, workers, cluster, precision, retry_failed)
            raise KeyboardInterrupt(
                f"interrupted: {watcher.done} of {watcher.total} tasks are finished and kept; go on with: {again}"
            ) from None
    if as_json:
        print_json(_document(ran, begun.folder))
    else:
        _print(ran, begun.folder)
    if ran.finished < ran.total or (ran.precise is not None and not ran.precise.reached):
        context.exit(FAILED)


def _again(
    spec: str, out: Path, workers: int | None, cluster: str | None, precision: float | None, retry_failed: bool
) -> str:
    words = ["orsched", "run", spec, "--out", str(out)]
    for name, value in (("workers", workers), ("cluster", cluster), ("precision", precision)):
        words += [] if value is None else [f"--{name}", str(value)]
    words += ["--retry-failed"] if retry_failed else []
    return shlex.join(words)


def _document(ran: Ran, folder: ResultsFolder) -> dict[str, object]:
    precise = ran.precise
    return {
        "folder": str(folder.path),
        "tasks": ran.total,
        "finished": ran.finished,
        "computed": ran.computed,
        "failures": [failure.model_dump() for failure in ran.failures],
        "damaged": list(ran.damaged),
        "precision": None
        if precise is None
        else {
            "reached": precise.reached,
            "replications": precise.replications,
            "widest": precise.widest,
            "left_out": precise.left_out,
            "lacking": list(precise.lacking),
        },
    }


def _print(ran: Ran, folder: ResultsFolder) -> None:
    from experiments.execution.progress import MOST
    from experiments.render.results import failures_grid
    from experiments.results.failures import cut

    console = output_console()
    console.out(
        f"{ran.finished} of {ran.total} tasks finished in {folder.path}, {ran.computed} of them now", highlight=False
    )
    if ran.precise is not None:
        precise = ran.precise
        width = "no interval" if precise.widest is None else f"widest interval ± {precise.widest:.2%}"
        more = f"; {precise.left_out} cells left out: unstable, or the policy cannot run" if precise.left_out else ""
        if precise.lacking:
            more += f"; {len(precise.lacking)} cells lack values (as {precise.lacking[0]})"
        verdict = "as precise as asked" if precise.reached else "not as precise as asked"
        console.out(f"{verdict} after {precise.replications} replications: {width}{more}", highlight=False)
    if ran.failures:
        short = [failure.model_copy(update={"error": cut(failure.error, MOST)}) for failure in ran.failures]
        console.print(failures_grid(short))
        console.out(
            f"{len(ran.failures)} failed: `orsched results failures {folder.path}` shows the tracebacks, "
            "`orsched run` with --retry-failed tries again",
            highlight=False,
        )
