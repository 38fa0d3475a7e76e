"""The choice of the cap: one grid, the same budget for every policy, paths that are not those of the results."""

from __future__ import annotations

from dataclasses import dataclass, replace

from experiments.paths.streams import Stream
from experiments.reproductions.sampling import observe, sample
from experiments.reproductions.sweep import Family, Point, Sweep
from orsched.errors import InputError
from orsched.policy import Policy

MOST_REQUESTS = 5_000
"""On a tuning path."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the grid search found for one family at one point.

    Parameters
    ----------
    cap : int or None
        The cap with the least mean latency, the smallest of equals; None when no cap of the grid gives a policy.
    curve : tuple of (int, float or None)
        Mean latency on the tuning paths by cap, in the order of the grid; None: no such policy.
    reason : str
        Why there is none, for the last cap tried.
    """

    cap: int | None
    curve: tuple[tuple[int, float | None], ...]
    reason: str = ""


def tune(sweep: Sweep, family: Family, point: Point, load: float, seed: int) -> Tuned:
    """Simulate every cap of the grid on the tuning paths of a point.

    Every family gets as many simulations, ``len(caps) * tuning_replications``, of as many requests, those of the point
    but at most `MOST_REQUESTS`.
    """
    law = sweep.law.whole()
    short = replace(point, requests=min(point.requests, MOST_REQUESTS))
    paths = [sample(sweep, short, Stream.TUNING, number, seed) for number in range(sweep.tuning_replications)]
    curve: list[tuple[int, float | None]] = []
    reason = ""
    for cap in sweep.caps:
        try:
            policy = family.capped(cap, law, sweep.fleet)
        except InputError as error:
            curve.append((cap, None))
            reason = str(error)
            continue
        rows = [observe(sweep, path, policy, load, number, seed) for number, path in enumerate(paths)]
        curve.append((cap, sum(row["latency_mean_s"] for row in rows) / len(rows)))
    possible = [(mean, cap) for cap, mean in curve if mean is not None]
    return Tuned(min(possible)[1] if possible else None, tuple(curve), reason)


def tuned_policy(sweep: Sweep, family: Family, cap: int) -> Policy:
    """The family's policy at a cap of the grid."""
    return family.capped(cap, sweep.law.whole(), sweep.fleet)
