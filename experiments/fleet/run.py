"""Run a fleet experiment on this machine: one task per sample path."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.comparison.runner import REQUESTS_PER_WORKER
from experiments.fleet.spec import FleetExperiment
from experiments.fleet.task import PathResult, serve

SEARCH_RUNS = 10
"""About how many runs a search for the largest sustained rate takes."""


@dataclass(frozen=True, slots=True)
class FleetResults:
    """Everything an experiment found.

    Parameters
    ----------
    experiment : FleetExperiment
        What was run.
    paths : tuple of PathResult
        By replication.
    wall_s : float
        Seconds for all of it.
    """

    experiment: FleetExperiment
    paths: tuple[PathResult, ...]
    wall_s: float


def run_fleet(
    experiment: FleetExperiment,
    *,
    folder: Path | None = None,
    on_path_done: Callable[[], None] = lambda: None,
) -> FleetResults:
    """Run every path of `experiment`; the result does not depend on the number of processes.

    Parameters
    ----------
    experiment : FleetExperiment
        What to run.
    folder : Path, optional
        Where the runs are written, one Parquet file for each policy and path; None: nowhere.
    on_path_done : callable
        Called in this process after each path, for progress.

    Raises
    ------
    OrschedError
        On a policy that cannot run there, or a run that does not add up.
    """
    start = time.perf_counter()
    paths = []
    for path in _paths(experiment, folder, experiment.workers or _sensible_workers(experiment)):
        paths.append(path)
        on_path_done()
    paths.sort(key=lambda path: path.replication)
    return FleetResults(experiment, tuple(paths), time.perf_counter() - start)


def _sensible_workers(experiment: FleetExperiment) -> int:
    """Usable cores, but no more processes than the experiment pays for."""
    from joblib import cpu_count

    runs = len(experiment.contenders) * (1 if experiment.goodput is None else SEARCH_RUNS)
    total = experiment.replications * runs * experiment.paths.requests
    return max(1, min(int(cpu_count()), experiment.replications, total // REQUESTS_PER_WORKER))


def _paths(experiment: FleetExperiment, folder: Path | None, workers: int) -> Iterator[PathResult]:
    replications = range(experiment.replications)
    if workers == 1:
        yield from (serve(experiment, replication, folder) for replication in replications)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=min(workers, experiment.replications), return_as="generator_unordered")
    yield from parallel(delayed(serve)(experiment, replication, folder) for replication in replications)
