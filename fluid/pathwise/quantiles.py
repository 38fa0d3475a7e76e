"""Quantiles of latency and time to first token that no policy can beat on one sample path."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fluid.pathwise.alike import alike
from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.deadlines import Deadlines
from fluid.pathwise.rules import Rule, rules, sample_of
from fluid.planning import TOLERANCE
from fluid.subject import subject
from orsched.bound import Bound
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.statistics.quantiles import percentiles
from orsched.work import Floats
from orsched.workloads import Workload

_STEP = 2e-3
"""Relative precision of the search."""

_COARSE = 3e-2
"""The same while rules are compared."""


def quantile_bounds(workload: Workload, fleet: Fleet) -> tuple[Bound, ...]:
    """Lower bounds on quantiles of time to first token and of latency, for every policy on this sample path.

    If fewer than ``k = ceil(p n / 100)`` of n requests can have a latency of at most d under any policy, the p-th
    percentile, which is the k-th smallest latency, is larger than d. How many can is bounded by
    `fluid.pathwise.sharing.Sharing` and `fluid.pathwise.relay.Relay`, in integers. The search over d and over
    the rules only decides how good the bound is: what is returned has been proved at the very d returned.

    There is none for the time per output token: nothing says by when a request has to be done.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it; of unequal hardware the bounds are those of `fluid.pathwise.alike.alike`.

    Returns
    -------
    tuple of Bound
        On ``ttft_p50_s``, ``latency_p99_s``, ...; a percentile for which the critical paths alone
        (`fluid.bounds.bounds`) prove as much is left out. 10,000 requests take about a second.

    Raises
    ------
    InputError
        When a request does not fit into the KV memory of an instance: no policy completes it.
    """
    require_fit(workload, fleet)
    sample, same = sample_of(workload), alike(fleet)
    identity = subject(workload, fleet)
    return tuple(_bounds(workload, sample, same, rules(sample, same), identity))


def _bounds(
    workload: Workload, sample: Workload, fleet: Fleet, tried: tuple[Rule, ...], identity: str
) -> Iterator[Bound]:
    for quantity in (_first_token, _completion):
        whole, part = quantity(workload, fleet), quantity(sample, fleet)
        for name, alone in percentiles(whole.alone_s).items():
            percent = int(name[1:])
            rule, guess = part.best(percent, tried)
            if rule is None:
                continue
            found = whole.furthest(percent, rule, alone, guess)
            if found > alone:
                facts = {"rule": rule, "needed": whole.needed(percent), "relative_tolerance": TOLERANCE}
                metric = f"{whole.name}_{name}_s"
                yield Bound("deadline", found, "lower", metric, "pathwise", True, identity, facts)


@dataclass(frozen=True, slots=True, eq=False)
class _Quantity:
    """A time of every request: its critical paths, and the deadlines that say it is at most d."""

    name: str
    alone_s: Floats
    deadlines: Callable[[float], Deadlines]

    def needed(self, percent: int) -> int:
        """Count the requests that must not exceed the percentile."""
        return -(-percent * len(self.alone_s) // 100)

    def proves(self, percent: int, rule: Rule, time_s: float) -> bool:
        """Whether the percentile is larger than `time_s` under every policy."""
        return rule.most_on_time(self.deadlines(time_s)) < self.needed(percent)

    def best(self, percent: int, tried: tuple[Rule, ...]) -> tuple[Rule | None, float]:
        """Find the rule that proves most, and what it proves."""
        best, proved = None, percentiles(self.alone_s, (percent,))[f"p{percent}"]
        for rule in tried:
            trial = proved * (1 + _COARSE)
            if self.proves(percent, rule, trial):
                best, proved = rule, self.furthest(percent, rule, proved, trial, _COARSE)
        return best, proved

    def furthest(self, percent: int, rule: Rule, floor: float, guess: float, step: float = _STEP) -> float:
        """Largest time that `rule` proves, to the relative precision `step`; `floor` if none beyond it."""
        low, high, factor = floor, math.inf, 1 + step
        trial = max(guess, floor * factor)
        while high > low * (1 + step):
            if self.proves(percent, rule, trial):
                low = trial
            else:
                high = trial
            if math.isinf(high):
                trial, factor = low * factor, factor * factor
            elif low == floor and high / factor > low:
                trial, factor = high / factor, factor * factor
            else:
                trial = math.sqrt(low * high)
        return low


def _first_token(workload: Workload, fleet: Fleet) -> _Quantity:
    paths = CriticalPaths.of(workload, fleet)
    return _Quantity("ttft", paths.prefill_s, lambda d: Deadlines.first_token(workload, fleet, paths, d))


def _completion(workload: Workload, fleet: Fleet) -> _Quantity:
    paths = CriticalPaths.of(workload, fleet)
    return _Quantity("latency", paths.latency_s, lambda d: Deadlines.completion(workload, fleet, paths, d))
