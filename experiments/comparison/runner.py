"""Run an experiment on this machine: one task per load and replication."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pickle import PicklingError

from experiments.comparison.build import Unavailable, built_policies
from experiments.comparison.experiment import Experiment
from experiments.comparison.replication import Path, Task, replicate
from experiments.paths.source import notices_of, source_for
from orsched.errors import InputError
from orsched.fitting import require_fit
from orsched.policy import Policy
from orsched.workloads.sources import WorkloadSource

REQUESTS_PER_WORKER = 20_000
"""Simulated requests that pay for starting one more worker process."""


@dataclass(frozen=True, slots=True)
class Results:
    """Everything an experiment found.

    Parameters
    ----------
    experiment : Experiment
        What was run.
    workload : str
        The workload's name.
    policies : mapping of float to tuple of Policy or Unavailable
        As built for each load, in the order of the experiment.
    paths : tuple of Path
        By load, then replication.
    notices : tuple of str
        What was changed or assumed.
    """

    experiment: Experiment
    workload: str
    policies: Mapping[float, tuple[Policy | Unavailable, ...]]
    paths: tuple[Path, ...]
    notices: tuple[str, ...]

    def at(self, load: float) -> tuple[Path, ...]:
        """The paths at `load`, by replication."""
        return tuple(path for path in self.paths if path.load == load)


def run_experiment(
    experiment: Experiment,
    *,
    workers: int | None = None,
    on_task_done: Callable[[], None] = lambda: None,
) -> Results:
    """Run every task of `experiment`.

    A task simulates all policies on one sample path, so that the path is drawn and bounded once. The result
    does not depend on `workers` nor on the order in which tasks finish.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    workers : int, optional
        Processes; None: as many cores as the size of the experiment pays for.
    on_task_done : callable
        Called in this process after each task, for progress.

    Raises
    ------
    OrschedError
        On input that cannot be used, before any simulation where possible.
    """
    source = source_for(experiment.workload, experiment.fleet, experiment.drop_oversized)
    require_fit(source.whole(), experiment.fleet)
    policies = {load: built_policies(experiment, source.whole(), load) for load in experiment.loads}
    runnable = {load: tuple(p for p in built if isinstance(p, Policy)) for load, built in policies.items()}
    _require_something_to_run(policies)
    tasks = [
        Task(load, replication, runnable[load])
        for load in experiment.loads
        for replication in range(experiment.replications)
    ]
    place: dict[tuple[float | None, int], int]
    place = {(task.load, task.replication): index for index, task in enumerate(tasks)}
    paths = []
    for path in _paths(experiment, source, tasks, workers or sensible_workers(experiment)):
        paths.append(path)
        on_task_done()
    paths.sort(key=lambda path: place[path.load, path.replication])
    notices = notices_of(source, experiment.requests, experiment.fleet.hardware)
    return Results(experiment, source.name, policies, tuple(paths), notices)


def _require_something_to_run(policies: Mapping[float, tuple[Policy | Unavailable, ...]]) -> None:
    missing = [
        f"policy {policy.name!r} at load {load:g}: {policy.reason}"
        for load, built in policies.items()
        for policy in built
        if isinstance(policy, Unavailable)
    ]
    if len(missing) == sum(map(len, policies.values())):
        raise InputError(missing[0])


def sensible_workers(experiment: Experiment) -> int:
    """Usable cores, but no more processes than the experiment pays for."""
    from joblib import cpu_count

    tasks = len(experiment.loads) * experiment.replications
    total = tasks * len(experiment.policies) * experiment.requests
    return max(1, min(int(cpu_count()), tasks, total // REQUESTS_PER_WORKER))


def _paths(experiment: Experiment, source: WorkloadSource, tasks: list[Task], workers: int) -> Iterator[Path]:
    if workers == 1:
        yield from (replicate(experiment, source, task) for task in tasks)
        return
    from joblib import Parallel, delayed

    # The loads of one replication share what its bounds look up, so they go to one process together.
    together = len(experiment.loads) if experiment.replications >= workers else 1
    parallel = Parallel(n_jobs=min(workers, len(tasks)), return_as="generator_unordered", batch_size=together)
    queue = sorted(tasks, key=lambda task: task.replication)
    try:
        yield from parallel(delayed(replicate)(experiment, source, task) for task in queue)
    except PicklingError as error:
        raise _cannot_travel(tasks) from error


def _cannot_travel(tasks: Iterable[Task]) -> InputError:
    """The error of an experiment that cannot be sent to other processes; names the policy whose fault it is."""
    from joblib.externals.loky.backend.reduction import dumps

    what, why = "the experiment", ""
    for policy in {policy.name: policy for task in tasks for policy in task.policies}.values():
        try:
            dumps(policy)
        except Exception as error:  # what an object's own code raises when it is pickled
            what, why = f"policy {policy.name!r}", f" ({type(error).__name__}: {' '.join(str(error).split())})"
            break
    return InputError(
        f"{what} cannot be sent to other processes{why}: run with one worker (--workers 1), or define it in a module, "
        "from values that pickle takes"
    )
