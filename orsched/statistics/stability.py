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


def stability(run: Run, load: float | None = None) -> Stability:
    """Decide whether a run was stable while requests arrived.

    What waits - requests not scheduled yet, or the number in system beyond twice the mean batch where a
    policy preempts; filling a large batch does not count - is read off at points equally many arrivals apart
    over the last two thirds of the arrivals. The run is unstable when its `STRETCHES` increments are positive
    on average by a one-sided t-test, and the number in system grows by more than `LEAST_GROWTH` of the
    arrival rate. The increments of a growing queue are nearly independent; those of a stable queue are
    negatively correlated, which makes the test conservative. Its level is 1% when the load is below 1, 5%
    when it is unknown, and 10% when it is at least 1, where theory predicts growth.

    Parameters
    ----------
    run : Run
        The run; unfinished requests are allowed.
    load : float, optional
        Load of the workload on the fleet (`Workload.load_on`), to say whether load or policy is to blame.

    Raises
    ------
    InputError
        When the load is not a finite number >= 0.
    """
    if load is not None and not (math.isfinite(load) and load >= 0):
        raise InputError(f"load = {load!r}: must be finite and >= 0")
    n = len(run)
    span_s = float(run.arrival_s[-1] - run.arrival_s[int(n * START_SHARE)]) if n else 0.0
    if n < FEWEST_REQUESTS or span_s <= 0:
        return Stability(True, f"undecided: {n} requests are too few to see growth", 0.0)
    points = np.linspace(int(n * START_SHARE), n - 1, STRETCHES + 1).round().astype(np.int64)
    seen = seen_by_arrivals(run)
    waiting = np.maximum(seen_by_arrivals(run, waiting=True), seen - 2 * _batch(run))[points].clip(min=0)
    growth_per_s = float(seen[points[-1]] - seen[points[0]]) / span_s
    rate_per_s = float(points[-1] - points[0]) / span_s
    overloaded = load is not None and load >= 1
    level = 0.05 if load is None else 0.10 if overloaded else 0.01
    grows = _grows(np.diff(waiting), level)
    if not (grows and growth_per_s > LEAST_GROWTH * rate_per_s):
        return Stability(True, _calm(load, overloaded), growth_per_s)
    return Stability(False, _alarm(load, overloaded, growth_per_s), growth_per_s)


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


def _calm(load: float | None, overloaded: bool) -> str:
    if overloaded:
        return f"load {load:.4g} >= 1: no policy keeps up in the long run; this run is too short to show it"
    return "no significant growth of the number in system"


def _alarm(load: float | None, overloaded: bool, growth_per_s: float) -> str:
    growth = f"the number in system grows by {growth_per_s:.2g} requests/s"
    if overloaded:
        return f"unstable: load {load:.4g} >= 1 and {growth}"
    if load is None:
        return f"unstable: {growth}"
    return (
        f"unstable: {growth} although load {load:.4g} < 1: the policy cannot keep up, not the hardware "
        "(or the arrival rate rises over the run)"
    )
