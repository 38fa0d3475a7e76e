"""``orsched run`` as a call."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.arguments import taken
from experiments.orders.values import require_counts

if TYPE_CHECKING:
    import pandas as pd

    from experiments.spec import ExperimentSpec, Precision


@taken
def run(
    spec: ExperimentSpec | str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    precision: float | Precision | None = None,
    retry_failed: bool = False,
    extend: bool = False,
) -> pd.DataFrame:
    """Run what is not finished of an experiment.

    Parameters
    ----------
    spec, out, workers, cluster, precision, retry_failed, extend
        As for `experiments.run`.

    Returns
    -------
    pandas.DataFrame
        The tidy table of everything that is finished, as of `experiments.frames.results_export`. Tasks that failed
        raise nothing: ``attrs`` counts them, and `experiments.frames.results_failures` shows them. With a `precision`
        ``attrs["precision"]`` says whether it was reached, with the widest interval; None without.

    Raises
    ------
    InputError
        As ``orsched run`` for the same options.
    OrschedError
        When work cannot go on; what was finished is kept.
    """
    from experiments.findings import run as run_experiment
    from experiments.frames.results_folders import tidy

    require_counts(workers=workers)
    findings = run_experiment(
        spec,
        out,
        workers=workers,
        cluster=cluster,
        precision=precision,
        retry_failed=retry_failed,
        extend=extend,
    )
    frame, precise = tidy(findings), findings.precise
    frame.attrs["precision"] = None if precise is None else {**asdict(precise), "lacking": list(precise.lacking)}
    return frame
