"""One sample path that an agent serves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import fluid
from experiments.comparison.pathwise_gaps import best_bounds, pathwise_gaps
from experiments.learning.conversation import Conversation
from experiments.learning.rewards import Return
from experiments.learning.setting import Setting
from experiments.learning.watch import Watch
from experiments.paths.streams import Stream, seed_sequence
from orsched.engine.simulation import simulate
from orsched.metrics import comparable, measure
from orsched.run import Run
from orsched.workloads import Workload

Sight = tuple[NDArray[np.float32], NDArray[np.int8]]
"""An observation and the mask of allowed actions."""


class Episode:
    """A simulation that stands still wherever a rule is to be chosen.

    Parameters
    ----------
    setting : Setting
        What it is drawn from.
    seed, replication : int
        Which path: the one of experiments with this seed, in this replication.
    """

    def __init__(self, setting: Setting, seed: int, replication: int) -> None:
        self.setting = setting
        self.path = path = setting.path(seed, replication)
        self.account = account = setting.counted(path)
        self.watch, self._talk = _begin(setting, path, seed, replication, account)

    @property
    def sight(self) -> Sight | None:
        """What the agent sees; None when the episode is over."""
        return self._talk.question

    @property
    def run(self) -> Run | None:
        """What happened, once everybody is served."""
        return self._talk.result

    @property
    def earned(self) -> float:
        """The undiscounted return so far."""
        run = self._talk.result
        return self.account.so_far(self.watch.now_s) if run is None else self.account.at_end(run)

    @property
    def is_cut(self) -> bool:
        """Whether it has taken longer than the setting allows."""
        return self._talk.question is not None and self.setting.is_cut(self.path, self.watch.now_s)

    def choose(self, action: int) -> None:
        """Choose a rule; returns at the next choice, or when everybody is served."""
        self._talk.answer(action)

    def close(self) -> None:
        """Break off what is not over; what happened stays known."""
        self._talk.close()

    def metrics(self) -> dict[str, float]:
        """What the run is judged by (`orsched.metrics`)."""
        assert self.run is not None
        return measure(self.run, self.setting.slo)

    def bounds_and_gaps(self) -> tuple[dict[str, float], dict[str, float]]:
        """The best valid bound on each metric of this very path, and the run's gaps to them."""
        assert self.run is not None
        fleet, values = self.setting.fleet, self.metrics()
        best = best_bounds(fluid.bounds(self.path, fleet, self.setting.slo))
        gaps = pathwise_gaps(
            best,
            values,
            tuple(metric for metric in values if comparable(metric, values)),
            policy=self.run.policy,
            subject=fluid.subject(self.path, fleet),
            clock_s=float(np.nanmax(self.run.completion_s, initial=self.run.arrival_s[-1])),
        )
        return {metric: bound.value for metric, bound in best.items()}, gaps


def _begin(
    setting: Setting, path: Workload, seed: int, replication: int, account: Return
) -> tuple[Watch, Conversation[Sight, int, Run]]:
    """Start the simulation; nothing that runs in its thread refers to the episode."""
    watches: list[Watch] = []

    def play(ask: Callable[[Sight], int]) -> Run:
        watch = Watch(setting.policy(lambda observation, mask: ask((observation, mask))), account)
        watches.append(watch)
        return simulate(path, setting.fleet, watch.policy, seed_sequence(seed, Stream.POLICY, replication))

    talk = Conversation(play)
    return watches[0], talk
