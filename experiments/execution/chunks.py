"""Short tasks handed out together, long ones alone: as many as take about half a second, by what their likes took."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from experiments.execution.attempt import Attempt, Task, attempt

CHUNK_S = 0.5
"""Seconds that the tasks of a chunk are meant to take together."""

LEAST_S = 0.001
"""Seconds that any task is taken to need, which limits how many go together."""


class Timed(NamedTuple):
    """An attempt, and the seconds it took."""

    attempt: Attempt
    took_s: float


def attempt_all(tasks: Sequence[Task], code: str) -> list[Timed]:
    """Attempt tasks one after the other, on whatever machine, until `CHUNK_S` have passed; at least the first.

    Raises
    ------
    OtherCodeError
        When this process has another version of the code than `code`.
    """
    found: list[Timed] = []
    end = time.perf_counter() + CHUNK_S
    while len(found) < len(tasks) and (not found or time.perf_counter() < end):
        start = time.perf_counter()
        one = attempt(tasks[len(found)], code)
        found.append(Timed(one, time.perf_counter() - start))
    return found


@dataclass(slots=True)
class Chunks:
    """Makes chunks of tasks, and learns from what they took.

    A task goes alone as long as nothing is known of its likes, those with its labels on other sample paths; so do long
    ones. What a worker does not get to in time is handed out again. So are the tasks of a chunk that was lost, one at a
    time beside the others: the one that kills workers takes no other of them with it.

    Parameters
    ----------
    tasks : iterator of Task
        Read as chunks are made.
    """

    tasks: Iterator[Task]
    _returned: deque[Task] = field(default_factory=deque)
    _suspects: deque[Task] = field(default_factory=deque)
    _tried: Task | None = None
    _expected_s: dict[object, float] = field(default_factory=dict)

    def following(self) -> list[Task]:
        """Return the next tasks to hand out together; none when there are none left, or only suspects to wait for."""
        if self._suspects and self._tried is None:
            self._tried = self._suspects.popleft()
            return [self._tried]
        chunk: list[Task] = []
        left_s = CHUNK_S
        while left_s > 0 and (task := self._next()) is not None:
            expected_s = self._expected_s.get(_likes(task), CHUNK_S)
            if chunk and expected_s > left_s:
                self._returned.appendleft(task)
                break
            chunk.append(task)
            left_s -= max(expected_s, LEAST_S)
        return chunk

    def took(self, chunk: Sequence[Task], found: Sequence[Timed]) -> None:
        """Learn how long the first tasks of a chunk took; the others will be handed out again."""
        self._settled(chunk)
        for task, (_, took_s) in zip(chunk, found, strict=False):
            before = self._expected_s.setdefault(_likes(task), took_s)
            self._expected_s[_likes(task)] = (before + took_s) / 2  # soon forgets what the first one loads and draws
        self._returned.extendleft(reversed(chunk[len(found) :]))

    def lost(self, chunk: Sequence[Task]) -> Task | None:
        """Hear that all workers died on a chunk: the task to blame; None where one of several has to be found."""
        self._settled(chunk)
        if len(chunk) == 1:
            return chunk[0]
        self._suspects.extend(chunk)
        return None

    def _settled(self, chunk: Sequence[Task]) -> None:
        if chunk[0] is self._tried:
            self._tried = None

    def _next(self) -> Task | None:
        return self._returned.popleft() if self._returned else next(self.tasks, None)


def _likes(task: Task) -> object:
    """What tasks have in common that take about the same time."""
    return None if task.place is None else task.place._replace(seed=0, replication=0)
