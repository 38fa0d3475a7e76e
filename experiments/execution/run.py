"""The run loop: compute what is not finished, keep each result at once, leave nothing out silently."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from experiments.execution.attempt import Attempt, Task
from experiments.execution.backend import Backend
from experiments.execution.rounds import Precise, judge, observed
from experiments.execution.specification import Specification
from experiments.execution.turns import in_turn
from experiments.execution.watcher import Nobody, Watcher
from experiments.results.compaction import compact, set_damaged_aside
from experiments.results.failures import Failure
from experiments.results.folder import ResultsFolder
from experiments.results.place import Place
from experiments.results.plan import Plan
from experiments.results.sealed import DamagedError
from experiments.tasks.code_version import code_version

LOOSE = 5_000
"""Parts written by a run before they are compacted in between."""

PASSES = 3
"""Times a task is computed whose part turns out damaged."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run did.

    Parameters
    ----------
    total : int
        Tasks of the experiment.
    computed : int
        Those finished by this run.
    finished : int
        Those finished by now, by this run or another.
    failures : tuple of Failure
        Those that failed, now or before.
    damaged : tuple of str
        Files that were found damaged and set aside.
    precise : Precise, optional
        How near the intervals are to what was asked for.
    """

    total: int
    computed: int
    finished: int
    failures: tuple[Failure, ...]
    damaged: tuple[str, ...]
    precise: Precise | None = None


def execute(
    spec: Specification,
    folder: ResultsFolder,
    *,
    backend: Backend,
    retry_failed: bool = False,
    watcher: Watcher | None = None,
) -> Ran:
    """Run what is not finished of `spec` in `folder`; several runners may do so at the same time.

    Every result is in the folder as soon as it is known, so that an interruption loses what is in flight only. A task
    that raises is recorded with its traceback and not tried again, unless `retry_failed`; the others go on.

    Parameters
    ----------
    spec : Specification
        What to run.
    folder : ResultsFolder
        Where, as `open_for` gives it.
    backend : Backend
        Who computes.
    retry_failed : bool
        Try again what failed before.
    watcher : Watcher, optional
        Is told how it goes.

    Raises
    ------
    InputError
        When another run has put another experiment into the folder meanwhile.
    BackendError, OtherCodeError
        When work cannot go on; what was finished is kept.
    OSError
        When the folder cannot be written to; likewise.
    """
    damaged = set_damaged_aside(folder)
    failed = set() if retry_failed else folder.failed.names()
    loop = _Loop(folder, backend, watcher or Nobody(), code_version(), failed)
    for message in damaged:
        loop.watcher.said(message)
    rule = spec.precision
    replications = spec.first_replications
    computed, precise = 0, None
    while True:
        tasks = [(task.id, task) for task in spec.tasks(replications)]
        places = [(name, placed(task)) for name, task in tasks]
        folder.write_plan(Plan.of(spec.key, loop.code, places), spec.to_toml())
        done, found_damaged = loop.complete(dict(tasks))
        computed, damaged = computed + done, (*damaged, *found_damaged)
        if rule is None:
            break
        precise = judge(rule, replications, observed(folder, places, rule.metric))
        if precise.reached or precise.replications == replications:
            break
        replications = precise.replications
    ids = {name for name, _ in tasks}
    failures = tuple(failure for failure in folder.failures() if failure.task in ids)
    return Ran(len(ids), computed, len(ids & folder.finished()), failures, damaged, precise)


def placed(task: Task) -> Place:
    """Where a task of an experiment stands."""
    if task.place is None:
        raise ValueError(f"{task.describe()}: a task of an experiment without a place")
    return task.place


@dataclass(frozen=True, slots=True)
class _Loop:
    """What stays the same over the rounds of a run; `failed` grows with what is not to be tried (again)."""

    folder: ResultsFolder
    backend: Backend
    watcher: Watcher
    code: str
    failed: set[str]

    def complete(self, tasks: dict[str, Task]) -> tuple[int, tuple[str, ...]]:
        """Compute what is missing until nothing is; how many tasks that were, and the damaged files on the way."""
        computed, damaged = 0, self._compacted()
        for _ in range(PASSES):
            finished = self.folder.finished()
            missing = {name: task for name, task in tasks.items() if name not in finished | self.failed}
            self.watcher.planned(len(tasks), len(tasks.keys() & finished))
            if not missing:
                return computed, damaged
            computed += self._compute(missing)
            damaged += self._compacted()
        raise DamagedError(f"folder {self.folder.path}: parts are damaged again and again; is the disk sound?")

    def _compute(self, missing: dict[str, Task]) -> int:
        """Attempt what is missing; how many succeeded."""
        computed = 0
        with in_turn(self.folder, missing) as tasks, closing(self.backend.attempts(tasks, self.code)) as attempts:
            for found in attempts:
                if not self._kept(found, missing[found.task]):
                    continue
                computed += 1
                if computed % LOOSE == 0:
                    self._compacted()
        return computed

    def _kept(self, found: Attempt, task: Task) -> bool:
        if found.part is None:
            self.failed.add(found.task)
            failure = self.folder.failed.write(found.task, task.describe(), found.error, found.traceback)
            self.watcher.failed(failure)
            return False
        self.folder.parts.write(found.task, found.part)
        self.folder.failed.remove(found.task)
        self.watcher.finished(1)
        return True

    def _compacted(self) -> tuple[str, ...]:
        messages = compact(self.folder)
        for message in messages:
            self.watcher.said(message)
        return messages
