"""What an episode is worth, counted while it goes on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Protocol

import numpy as np

from orsched.engine.view import InstanceView
from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.run import Run
from orsched.scoring import CLOCK, mean_tpot
from orsched.workloads import Workload


class Return(Protocol):
    """Counts the undiscounted return of an episode; rewards are its differences."""

    def look(self, view: InstanceView) -> None:
        """Look at an instance, at each of its decision epochs."""
        ...

    def so_far(self, now_s: float) -> float:
        """The return of what has happened by `now_s`, not earlier than the last look."""
        ...

    def at_end(self, run: Run) -> float:
        """The return of the whole episode."""
        ...


class Latency:
    """Minus the time that requests have spent in the system, request-seconds.

    Between two steps the reward is minus the integral of the number in system, so that the return of an episode is
    minus the sum of all latencies (the sum behind Little's law). Requests that a router turns away count as in the
    system to the end.

    Parameters
    ----------
    workload : Workload
        The sample path.
    slo : SLO, optional
        Without meaning here.
    """

    def __init__(self, workload: Workload, slo: SLO | None = None) -> None:
        self._arrival_s: list[float] = workload.arrival_s.tolist()
        self._sums_s: list[float] = [0.0, *accumulate(self._arrival_s)]
        self._left: dict[int, int] = {}
        self._departed = 0
        self._departures_s = 0.0

    def look(self, view: InstanceView) -> None:
        """Count who has left the instance since the last look; each departure ends an epoch there."""
        left = len(view.arrived) - len(view.waiting) - view.num_running
        new = left - self._left.get(id(view), 0)
        if new:
            self._left[id(view)] = left
            self._departed += new
            self._departures_s += new * view.now_s

    def so_far(self, now_s: float) -> float:
        """Minus the time in system by `now_s`."""
        come = bisect_right(self._arrival_s, now_s)
        present_s = (come - self._departed) * now_s
        return self._sums_s[come] - present_s - self._departures_s

    def at_end(self, run: Run) -> float:
        """Minus the sum of latencies."""
        end_s = np.fmax(np.fmax.reduce(run.completion_s), run.arrival_s[-1])
        left_s = np.where(run.rejected == 0, run.completion_s, end_s)
        return -float((left_s - run.arrival_s).sum())


class Goodput:
    """Number of requests that have completed within their objective: TTFT, and mean time per output token after it.

    Parameters
    ----------
    workload : Workload
        The sample path.
    slo : SLO, optional
        Objective of all requests; None: those of their classes.

    Raises
    ------
    InputError
        When there is no objective.
    """

    def __init__(self, workload: Workload, slo: SLO | None = None) -> None:
        objectives = Objectives.of(workload) if slo is None else Objectives.same(slo, len(workload))
        self._objectives = objectives
        self._arrival_s: list[float] = workload.arrival_s.tolist()
        self._output_tokens: list[int] = workload.output_tokens.tolist()
        self._ttft_s: list[float] = objectives.ttft_s.tolist()
        self._tpot_s: list[float] = objectives.tpot_s.tolist()
        self._first_s: dict[int, float] = {}
        self._seen: dict[int, tuple[int, set[int]]] = {}  # arrivals looked at, and those of them still present
        self._good = 0

    def look(self, view: InstanceView) -> None:
        """Note first tokens, and judge who has left; both end an epoch.

        Who came and emitted everything since the last look, a single token, is judged too.
        """
        now_s, running = view.now_s, set(view.running)
        for request in running - view.prefilling.keys():
            self._first_s.setdefault(request, now_s)
        seen, present = self._seen.get(id(view), (0, set()))
        present.update(view.arrived[seen:])
        left = {request for request in present - running if request not in view.waiting}
        self._seen[id(view)] = len(view.arrived), present - left
        self._good += sum(self._kept(request, now_s) for request in left)

    def so_far(self, now_s: float) -> float:
        """How many so far."""
        return float(self._good)

    def at_end(self, run: Run) -> float:
        """How many in all (`orsched.scoring.mean_tpot`)."""
        return float(mean_tpot(run, self._objectives).sum())

    def _kept(self, request: int, now_s: float) -> bool:
        first_s, slack_s = self._first_s.pop(request, now_s), CLOCK * now_s
        in_time = first_s - self._arrival_s[request] <= self._ttft_s[request] + slack_s
        allowed_s = self._tpot_s[request] * (self._output_tokens[request] - 1)
        return in_time and now_s - first_s <= allowed_s + slack_s


REWARDS: Mapping[str, Callable[[Workload, SLO | None], Return]] = MappingProxyType(
    {"latency": Latency, "goodput": Goodput}
)
"""Returns by name."""


def get_reward(name: str) -> Callable[[Workload, SLO | None], Return]:
    """Look up a return by name.

    Raises
    ------
    InputError
        When there is none of that name.
    """
    if name not in REWARDS:
        raise InputError(f"unknown reward {name!r}: must be one of {', '.join(REWARDS)}, or a function of a workload")
    return REWARDS[name]
