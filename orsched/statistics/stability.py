"""Whether a run kept up with its arrivals, or its queue grew for as long as they came."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from orsched.errors import InputError
from orsched.run import Run
from orsched.work import Floats, Ints

STRETCHES = 20
"""Stretches of the arrival window whose growths are the observations of the t-test."""

FEWEST_REQUESTS = 100
"""With fewer requests nothing is concluded."""

START_SHARE = 1 / 3
"""Share of the arrivals left out at the start: a system that starts empty grows without being unstable."""

LEAST_GROWTH = 0.01
"""Growth below this share of the arrival rate is never called instability."""

MUCH_GROWTH = 0.5
"""Growth above this share of the arrival rate is instability without a test, unless the load is known to be below 1."""


@dataclass(frozen=True, slots=True)
class Stability:
    """Verdict on a run.

    Parameters
    ----------
    stable : bool
        False when the number in system grew significantly and by much. True means "no evidence of growth in
        this run", not a proof.
    reason : str
        One sentence for the user, with the numbers.
    growth_per_s : float
        Growth of the number in system over the last two thirds of the arrivals, requests per second; 0 when
        the run is too short to tell.
    """

    stable: bool
    reason: str
    growth_per_s: float


@dataclass(frozen=True, slots=True)
class _Load:
    """What is known of the load, and what it makes of the growth."""

    text: str
    is_over: bool
    is_below_one: bool

    @classmethod
    def told(cls, load: float | None, least: float | None) -> _Load:
        if load is not None:
            return cls(f"load {load:.4g}" + (" >= 1" if load >= 1 else ""), load >= 1, load < 1)
        return cls("" if least is None else f"load >= {least:.4g}", least is not None and least >= 1, False)

    @property
    def level(self) -> float:
        """Of the t-test of growth."""
        return 0.10 if self.is_over else 0.01 if self.is_below_one else 0.05

    def calm(self, growth_per_s: float, rate_per_s: float) -> str:
        if self.is_over:
            return f"{self.text}: no policy keeps up in the long run; this run is too short to show it"
        if growth_per_s > MUCH_GROWTH * rate_per_s:
            return f"the number in system grows by {growth_per_s:.2g} requests/s, what waits does not: batches fill"
        return "no significant growth of the number in system"

    def alarm(self, growth_per_s: float) -> str:
        growth = f"the number in system grows by {growth_per_s:.2g} requests/s"
        if self.is_over:
            return f"unstable: {self.text} and {growth}" if growth_per_s > 0 else f"unstable: {self.text}"
        if not self.is_below_one:
            return f"unstable: {growth}"
        return (
            f"unstable: {growth} although {self.text} < 1: the policy cannot keep up, not the hardware "
            "(or the arrival rate rises over the run)"
        )


def seen_by_arrivals(run: Run, *, waiting: bool = False) -> Ints:
    """Count the requests in the system just before each arrival, shape ``(n,)``, in O(n log n).

    Requests that arrive at the same instant see those before them in the workload's order. A request that
    never completed stays in the system, one that was rejected never is in it. With `waiting`, a request counts until
    it is first scheduled only.
    """
    came = run.rejected == 0
    left_s = run.first_scheduled_s if waiting else run.completion_s
    left_s = np.sort(left_s[np.isfinite(left_s)])
    seen: Ints = np.cumsum(came) - came - np.searchsorted(left_s, run.arrival_s, "left" if waiting else "right")
    return seen


def stability(run: Run, load: float | None = None, *, least_load: float | None = None) -> Stability:
    """Decide whether a run was stable while requests arrived.

    What waits - requests not scheduled yet, or the number in system beyond twice the mean batch where a
    policy preempts; filling a large batch does not count - is read off at points equally many arrivals apart
    over the last two thirds of the arrivals. The run is unstable when its `STRETCHES` increments are positive
    on average by a one-sided t-test, and the number in system grows by more than `LEAST_GROWTH` of the
    arrival rate. The increments of a growing queue are nearly independent; those of a stable queue are
    negatively correlated, which makes the test conservative. Its level is 1% when the load is below 1, 5%
    when it is unknown, and 10% when it is at least 1, where theory predicts growth.

    Growth of more than `MUCH_GROWTH` of the arrival rate needs no test unless the load is known to be below 1, where
    batches may fill. Nor does a load that is unknown but known to be at least 1, in a run that rejects nobody: then no
    policy keeps up.

    Parameters
    ----------
    run : Run
        The run; unfinished requests are allowed.
    load : float, optional
        Load of the workload on the fleet (`Workload.load_on`), to say whether load or policy is to blame.
    least_load : float, optional
        Where `load` is None: a lower bound on it, for fleets on which no load is defined.

    Raises
    ------
    InputError
        When a load is not a finite number >= 0.
    """
    for name, value in (("load", load), ("least_load", least_load)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} = {value!r}: must be finite and >= 0")
    n = len(run)
    span_s = float(run.arrival_s[-1] - run.arrival_s[int(n * START_SHARE)]) if n else 0.0
    if n < FEWEST_REQUESTS or span_s <= 0:
        return Stability(True, f"undecided: {n} requests are too few to see growth", 0.0)
    points = np.linspace(int(n * START_SHARE), n - 1, STRETCHES + 1).round().astype(np.int64)
    seen = seen_by_arrivals(run)
    waiting = np.maximum(seen_by_arrivals(run, waiting=True), seen - 2 * _batch(run))[points].clip(min=0)
    growth_per_s = float(seen[points[-1]] - seen[points[0]]) / span_s
    rate_per_s = float(points[-1] - points[0]) / span_s
    told = _Load.told(load, least_load)
    significant = _grows(np.diff(waiting), told.level) and growth_per_s > LEAST_GROWTH * rate_per_s
    much = growth_per_s > MUCH_GROWTH * rate_per_s and not told.is_below_one
    hopeless = told.is_over and load is None and not run.rejected.any()
    if significant or much or hopeless:
        return Stability(False, told.alarm(growth_per_s), growth_per_s)
    return Stability(True, told.calm(growth_per_s, rate_per_s), growth_per_s)


def _batch(run: Run) -> float:
    busy_s = float(run.busy_s.sum())
    return len(run.busy_s) * float(run.batch_s.sum()) / busy_s if busy_s > 0 else 0.0


def _grows(increments: Floats, level: float) -> bool:
    """One-sided t-test of a positive mean."""
    from scipy.special import stdtr

    mean, k = float(increments.mean()), len(increments)
    spread = float(increments.std(ddof=1)) / math.sqrt(k)
    if spread == 0:
        return mean > 0
    return float(stdtr(k - 1, -mean / spread)) < level
