"""A rule against starvation, counted in steps: who has not run for long goes first for a while."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number, check_whole
from policies.parts.ranked import PAUSED

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class StarvationRule:
    """A request that has not run for `idle_steps` steps goes to the top class until it has run `run_steps` of them.

    Parameters
    ----------
    idle_steps : float
        Steps of the instance, >= 1; infinity for no rule.
    run_steps : int
        Steps in which the request runs, >= 1.

    Notes
    -----
    vllm-ltr (scheduler of the ``opt`` schedule type): the count of idle steps starts again at the promotion.
    """

    idle_steps: float = math.inf
    run_steps: int = 10

    def __post_init__(self) -> None:
        check_number(self, "idle_steps", least=1, finite=False)
        check_whole(self, "run_steps")


class StarvationWatch:
    """The rule at work on one instance: who is idle since when, who is in the top class and until when.

    Every count is of the instance's iterations, so that it does not matter how often it is asked.

    Parameters
    ----------
    rule : StarvationRule
        The rule.
    """

    __slots__ = ("_ends", "_idle", "_left", "_rule")

    def __init__(self, rule: StarvationRule) -> None:
        self._rule = rule
        self._idle: dict[int, int] = {}
        self._left: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def promoted(self, request: int) -> bool:
        """Whether `request` is in the top class."""
        return request in self._left

    def stopped(self, requests: Iterable[int], iterations: int) -> None:
        """`requests` arrived, were paused or preempted: they do not run from now on. Idle ones stay idle."""
        for request in requests:
            self._idle.setdefault(request, iterations)
            end = self._ends.pop(request, None)
            if end is not None:
                self._left[request] = end - iterations

    def started(self, requests: Iterable[int], iterations: int) -> None:
        """`requests` run from now on. Running ones go on."""
        for request in requests:
            if self._idle.pop(request, None) is not None and request in self._left:
                self._ends[request] = iterations + self._left[request]

    def forget(self, requests: Iterable[int]) -> None:
        """What was counted of `requests` before does not matter: they have left, or come anew."""
        for request in requests:
            for book in (self._idle, self._left, self._ends):
                book.pop(request, None)

    def forget_departed(self, view: InstanceView) -> None:
        """Drop idle requests that have left with their KV cache; work only if somebody has."""
        if len(self._idle) != len(view.waiting) + view.decoding(PAUSED):
            self.forget([r for r in self._idle if r not in view.running and r not in view.waiting])

    def update(self, iterations: int, running: Collection[int]) -> list[int]:
        """End and begin stays in the top class; returns who has come to it.

        Parameters
        ----------
        iterations : int
            Iterations of the instance so far.
        running : collection of int
            Residents; a running request that is not among them has left.
        """
        for request, end in list(self._ends.items()):
            if end <= iterations or request not in running:
                del self._ends[request], self._left[request]
        starved = []
        for request, since in self._idle.items():
            if iterations - since < self._rule.idle_steps:
                break
            starved.append(request)
        promoted = [request for request in starved if request not in self._left]
        for request in starved:
            del self._idle[request]
            self._idle[request] = iterations
            self._left[request] = self._rule.run_steps
        return promoted

    def next_change(self, iterations: int) -> float:
        """Iterations until somebody is promoted or leaves the top class, if all go on as they are."""
        idle = next(iter(self._idle.values()), math.inf)
        return min(idle + self._rule.idle_steps, *self._ends.values(), math.inf) - iterations
