"""How to make a Nested WAIT policy: from the fluid solution of a workload, or from given thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orsched.checks import check_whole
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import PiecewisePoisson, Poisson, Workload
from policies.wait.drift import OverflowRisk
from policies.wait.nested import Nesting
from policies.wait.nested_law import MOST_SEGMENTS, NestedLaw
from policies.wait.nested_thresholds import Arrivals, Fill, NestedThresholds, check_segments, choose_segments
from policies.wait.segments import NestedSegments

if TYPE_CHECKING:
    from fluid.trajectory.profile import RateProfile


@dataclass(frozen=True, slots=True)
class NestedWait:
    """How to make a Nested WAIT policy. It knows no output length, only the law of them.

    Parameters
    ----------
    segments : int
        ``L``, at most `MOST_SEGMENTS`; two is the fewest that nest. Fewer are made where output lengths repeat too
        much.
    overflow_probability : float
        ``delta``: with what probability the boundary queues may outgrow their memory within the horizon.
    horizon_iterations : float
        ``zeta T / d0``: iterations within the horizon, at most. The default is three hours of iterations of 10 ms.

    Raises
    ------
    InputError
        When a field is not so.
    """

    segments: int = 2
    overflow_probability: float = 0.01
    horizon_iterations: float = 1e6

    def __post_init__(self) -> None:
        check_whole(self, "segments", most=MOST_SEGMENTS)
        OverflowRisk(self.overflow_probability, self.horizon_iterations)

    def from_fluid(self, workload: Workload, fleet: Fleet) -> Policy:
        """Nested WAIT with cut points and thresholds chosen for the rate and lengths of `workload` on `fleet`.

        The conditions are the paper's for merged segments, every stage full. `workload` stands for the law.

        Raises
        ------
        InputError
            When no cut points and integer thresholds satisfy them.
        """
        law = NestedLaw.of(workload)
        return nested_policy("nested-wait", self._choose(law, law.full, constant(workload, fleet), fleet))

    def from_mean_occupancy(self, workload: Workload, fleet: Fleet) -> Policy:
        """The same with stages as full as they are on average (ours), for loads beyond the paper's conditions.

        Within a merged segment prompts end, so that its stages are never all full. Planning with the mean promises
        nothing about memory: when it does not suffice, the algorithm's repair evicts.

        Raises
        ------
        InputError
            When no cut points and integer thresholds satisfy the conditions so read.
        """
        law = NestedLaw.of(workload)
        return nested_policy("nested-wait-mean", self._choose(law, law.mean, constant(workload, fleet), fleet))

    def from_profile(
        self,
        rates: RateProfile | PiecewisePoisson | Poisson,
        workload: Workload | Sequence[Workload],
        fleet: Fleet,
    ) -> Policy:
        """Nested WAIT for a rate that is a step function of time; the conditions hold in every window of a cycle.

        Where lengths vary too, survival, memory and cycle are the largest over the steps (`policies.wait.varying`).

        Parameters
        ----------
        rates : RateProfile, PiecewisePoisson or Poisson
            Requests per second of the whole fleet.
        workload : Workload, or a sequence of them
            Lengths: one workload for all times, or one per step of `rates`. Arrival times do not matter.
        fleet : Fleet
            What it will run on.

        Raises
        ------
        InputError
            When no cut points and integer thresholds satisfy the conditions.
        """
        from policies.wait.varying import VaryingRates, collect_s, largest_prompts, largest_survival

        varying = VaryingRates.of(rates, workload, fleet.size)
        law, laws, windows = varying.largest_law(), varying.laws(), varying.windows

        def fill(cuts: tuple[int, ...], thresholds: tuple[int, ...], stage_iterations: int) -> NestedSegments:
            full = law.full(cuts, thresholds, stage_iterations)
            survival, prompts = largest_survival(laws, cuts), largest_prompts(laws, cuts)
            return replace(full, survival=survival, prompt_tokens=prompts)

        chosen = self._choose(law, fill, windows.busiest, fleet)
        policy = nested_policy("nested-wait-varying", chosen)
        busiest = windows.busiest(chosen.cycle_s)
        waits = collect_s(windows, chosen.segments.thresholds[0])
        return replace(policy, settings={**policy.settings, "busiest_window": busiest, "collect_s": waits})

    def with_thresholds(
        self,
        cuts: Sequence[int],
        thresholds: Sequence[int],
        workload: Workload,
        fleet: Fleet,
        stage_iterations: int = 1,
    ) -> Policy:
        """Nested WAIT with given cut points (decode steps) and thresholds, one of each per segment.

        Raises
        ------
        InputError
            When they violate the paper's conditions for `workload` on `fleet`.
        """
        segments = NestedLaw.of(workload).full(tuple(cuts), tuple(thresholds), stage_iterations)
        arrivals = constant(workload, fleet)
        return nested_policy("nested-wait", check_segments(segments, arrivals, fleet.hardware, self._risk))

    def _choose(self, law: NestedLaw, fill: Fill, arrivals: Arrivals, fleet: Fleet) -> NestedThresholds:
        return choose_segments(law, fill, self.segments, arrivals, fleet.hardware, self._risk)

    @property
    def _risk(self) -> OverflowRisk:
        return OverflowRisk(self.overflow_probability, self.horizon_iterations)


def constant(workload: Workload, fleet: Fleet) -> Arrivals:
    """Expected arrivals on one instance at the rate of a workload, split evenly over the fleet."""
    rate = workload.rate_per_s / fleet.size
    return lambda window_s: rate * window_s


def nested_policy(name: str, chosen: NestedThresholds) -> Policy:
    """Bundle the batcher with its cohorts; the settings say what it runs with."""
    segments = chosen.segments
    batcher = Nesting(segments.cuts, segments.thresholds, segments.stage_iterations)
    return Policy(name, batcher, num_cohorts=batcher.cohorts, settings=chosen.settings(), takes_transfers=False)
