"""WAIT's and Nested WAIT's conditions under time-varying rates (arXiv 2504.11320, extensions of the journal revision).

Thresholds stay fixed; the conditions hold over every window of one cycle. With ``A_j(t, h)`` the expected arrivals of
class j within ``[t, t + h]``:

* The throughput gap ``O(1 / (zeta T))``, against the benchmark ``(1/T) int sum_j lambda_j(t) l'_j dt``, needs
  ``sup_t sum_j A_j(t, Delta^pi) < n_1`` for Nested WAIT, and ``p*_k < n_k / n_{k-1}`` with ``p*_k`` the largest share,
  over all windows, of those who enter segment k - 1 that goes on. For WAIT we ask ``sup_t A_j(t, Delta^pi) < n_j`` of
  every class: the same condition, class by class (ours).
* Delays of ``O(1)`` need besides that there is no long lull: the expected time to collect ``n_1`` arrivals (``n_j``) is
  bounded over its beginnings. With ``D`` the longest time until so many are expected, it is at most ``2 D`` (ours): by
  the time change of a Poisson process it is at most ``E[D(G)]``, G gamma of mean ``n_j``, and
  ``D(a n_j) <= ceil(a) D(n_j)``.

Where lengths vary too, ``M^pi`` and ``Delta^pi`` are made of the largest means over the steps in which requests
arrive: for WAIT of the prompts, KV tokens and survivors of a class by tokens emitted, for Nested WAIT of the prompts of
those who reach a segment. The requests present are a mixture of those of several steps, whose means are no larger. So
the conditions hold whatever the mixture, for service models by which more tokens take no less time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from fluid.trajectory.profile import RateProfile
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.work import Floats
from orsched.workloads import PiecewisePoisson, Poisson, Workload
from policies.parts.bins import LengthBins
from policies.wait.nested_law import NestedLaw
from policies.wait.profile import ClassProfile
from policies.wait.thresholds import WaitThresholds, choose_thresholds, expected_in_system
from policies.wait.windows import Windows

_WINDOWS_S = (0.0, *(0.01 * 2**i for i in range(13)))
"""Windows whose busiest rate thresholds are tried for, up to 41 s; 0 is the highest rate itself."""


@dataclass(frozen=True, slots=True, eq=False)
class VaryingRates:
    """Arrivals whose rate, and perhaps whose mix of lengths, is a step function of time.

    Parameters
    ----------
    rates : RateProfile
        Requests per second of all classes together, on one instance.
    mixes : tuple of Workload
        Lengths, one workload for each step of the rate, or one for all. Their arrival times do not matter.

    Raises
    ------
    InputError
        When there are as many mixes as neither one nor the steps.
    """

    rates: RateProfile
    mixes: tuple[Workload, ...]

    def __post_init__(self) -> None:
        steps = len(self.rates.starts_s)
        if len(self.mixes) not in (1, steps):
            raise InputError(f"{len(self.mixes)} workloads for {steps} steps of the rate: give one, or one per step")
        if not any(self.rates.rates_per_s):
            raise InputError("the rates are all 0: no request would ever arrive")

    @classmethod
    def of(
        cls, rates: RateProfile | PiecewisePoisson | Poisson, workload: Workload | Sequence[Workload], instances: int
    ) -> VaryingRates:
        """Rates of a whole fleet, split evenly over `instances`."""
        profile = rates if isinstance(rates, RateProfile) else RateProfile.of(rates)
        split = replace(profile, rates_per_s=tuple(rate / instances for rate in profile.rates_per_s))
        return cls(split, (workload,) if isinstance(workload, Workload) else tuple(workload))

    def bins(self, input_bins: int, output_bins: int) -> LengthBins:
        """Classes that split the lengths at their quantiles, each step counted by its rate."""
        return LengthBins.quantiles(self._lengths, input_bins, output_bins, self._weights)

    def profiles(self, bins: LengthBins) -> tuple[ClassProfile, ...]:
        """Profiles of the classes of a grid, the largest over the steps, without rates."""
        steps = []
        for mix in self._arriving():
            classes = bins.classify(mix)
            rows = [classes == j for j in range(bins.count)]
            steps.append([ClassProfile.of(0.0, mix.input_tokens[row], mix.output_tokens[row]) for row in rows])
        return tuple(map(ClassProfile.largest, zip(*steps, strict=True)))

    @property
    def windows(self) -> Windows:
        """Windows of all arrivals."""
        return Windows.of(self.rates)

    def windows_by_class(self, bins: LengthBins) -> tuple[Windows, ...]:
        """Windows of each class of a grid."""
        shares = [np.bincount(bins.classify(mix), minlength=bins.count) / len(mix) for mix in self.mixes]
        by_step = np.array(shares * len(self.rates.starts_s) if len(shares) == 1 else shares)
        return tuple(Windows.of(self.rates, by_step[:, j].tolist()) for j in range(bins.count))

    def laws(self) -> tuple[NestedLaw, ...]:
        """The laws of lengths of the steps in which some arrive."""
        return tuple(map(NestedLaw.of, self._arriving()))

    def largest_law(self) -> NestedLaw:
        """The law whose profile is the largest over the steps; its deciles count each step by its rate."""
        profile = ClassProfile.largest([law.profile for law in self.laws()])
        return replace(NestedLaw.of(self._lengths, self._weights), profile=profile)

    @property
    def _lengths(self) -> Workload:
        """The requests of all steps in which some arrive, step by step; their arrival times mean nothing."""
        mixes = self._arriving()
        if len(mixes) == 1:
            return mixes[0]
        inputs, outputs = (
            np.concatenate([getattr(mix, column) for mix in mixes]) for column in ("input_tokens", "output_tokens")
        )
        return Workload.of(np.arange(len(inputs)), inputs, outputs)

    @property
    def _weights(self) -> Floats | None:
        """What each of those requests counts: its step's rate, shared among the step's requests."""
        mixes = self._arriving()
        if len(mixes) == 1:
            return None
        rates = [rate for rate in self.rates.rates_per_s if rate]
        return np.concatenate([np.full(len(mix), rate / len(mix)) for mix, rate in zip(mixes, rates, strict=True)])

    def _arriving(self) -> tuple[Workload, ...]:
        if len(self.mixes) == 1:
            return self.mixes
        return tuple(mix for mix, rate in zip(self.mixes, self.rates.rates_per_s, strict=True) if rate)


@dataclass(frozen=True, slots=True)
class VaryingThresholds:
    """WAIT's thresholds under time-varying rates, with both sides of the window condition.

    Parameters
    ----------
    chosen : WaitThresholds
        Thresholds, stage length, cycle and memory; its slack is that of the busiest windows.
    busiest : tuple of float
        ``sup_t A_j(t, Delta^pi)`` per class, prompts.
    collect_s : tuple of float or None
        Bound on the expected time to collect ``n_j`` arrivals, whenever it begins, per class; None: unbounded.
    """

    chosen: WaitThresholds
    busiest: tuple[float, ...]
    collect_s: tuple[float | None, ...]


def choose_for_windows(
    lengths: Sequence[ClassProfile], windows: Sequence[Windows], hardware: Hardware
) -> VaryingThresholds:
    """Thresholds that satisfy the window conditions, the fewest requests in the system in their busiest cycle.

    Thresholds are chosen as for constant rates, for the busiest rate over windows of several lengths, and kept if they
    hold over windows of their own cycle. A window of length 0, the highest rate, always holds where it is feasible.

    Raises
    ------
    InputError
        When none hold.
    """
    best: VaryingThresholds | None = None
    fewest = math.inf
    tried = set()
    for window_s in _WINDOWS_S:
        rates = tuple(w.busiest(window_s) / window_s if window_s else w.highest_rate_per_s for w in windows)
        key = tuple(f"{rate:.9g}" for rate in rates)
        if key in tried:
            continue
        tried.add(key)
        try:
            chosen = choose_thresholds(_at(lengths, rates), hardware)
        except InputError:
            continue
        busiest = tuple(w.busiest(chosen.cycle_s) for w in windows)
        if any(arrived >= n for arrived, n in zip(busiest, chosen.per_class, strict=True)):
            continue
        count = expected_in_system(_at(lengths, [arrived / chosen.cycle_s for arrived in busiest]), chosen)
        if count < fewest:
            slack = min(n / arrived - 1 for n, arrived in zip(chosen.per_class, busiest, strict=True) if arrived)
            waits = tuple(collect_s(w, n) for w, n in zip(windows, chosen.per_class, strict=True))
            best, fewest = VaryingThresholds(replace(chosen, slack=slack), busiest, waits), count
    if best is None:
        raise InputError(
            "no integer thresholds hold in the busiest windows of these rates: "
            "lower the peak, use fewer classes or hardware with more KV memory"
        )
    return best


def largest_survival(laws: Sequence[NestedLaw], cuts: Sequence[int]) -> tuple[float, ...]:
    """``p*_k`` for ``k >= 2``: a window's share is a mean of its steps' shares, so the largest is that of a step."""
    largest = []
    for before, after in pairwise((-1, *cuts[:-1])):
        entered = [law for law in laws if law.survivors(before) > 0]
        largest.append(max((law.survivors(after) / law.survivors(before) for law in entered), default=0.0))
    return tuple(largest)


def largest_prompts(laws: Sequence[NestedLaw], cuts: Sequence[int]) -> tuple[float, ...]:
    """``lbar_k``: the longest mean prompt of those who reach segment k, over the steps in which some reach it."""
    entries = (-1, *cuts[:-1])
    return tuple(max(law.prompt_tokens(cut) for law in laws if law.survivors(cut) > 0) for cut in entries)


def collect_s(windows: Windows, number: int) -> float | None:
    """Bound on the expected time to collect `number` Poisson arrivals, whenever it begins; None: unbounded."""
    lull = windows.longest_lull_s(number)
    return 2 * lull if lull < math.inf else None


def _at(lengths: Sequence[ClassProfile], rates: Sequence[float]) -> tuple[ClassProfile, ...]:
    return tuple(replace(profile, rate_per_s=rate) for profile, rate in zip(lengths, rates, strict=True))
