"""What one run of a fleet is judged by: numbers of the whole, and of each tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.fleet.scoring import mean_tpot_s, within_objective
from experiments.fleet.spec import Scoring
from orsched.errors import InputError
from orsched.quantiles import percentiles
from orsched.request import RequestClass
from orsched.run import Run
from orsched.warmup import warm_up
from orsched.work import Floats
from orsched.workloads import Workload

HOUR_S = 3600.0
PERCENTS = (50, 99)

UNITS: Mapping[str, str] = {
    "attainment": "",
    "goodput_per_s": "1/s",
    "ttft_p50_s": "s",
    "ttft_p99_s": "s",
    "tpot_p50_s": "s",
    "tpot_p99_s": "s",
    "latency_mean_s": "s",
    "server_hours": "h",
    "good_per_server_hour": "1/h",
    "rejected": "",
    "restarts": "",
    "migrations": "",
    "preemptions": "",
    "energy_j": "J",
    "energy_per_good_j": "J",
}
"""Units of all metrics, in the order of tables; counts and shares have none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How one policy did on one path.

    Parameters
    ----------
    metrics : mapping of str to float
        Of the whole, named as in `UNITS`; what the run does not have (time per token when all requests have one token,
        energy without a power law, attainment without objectives) is absent.
    tiers : mapping of str to mapping of str to float
        By tier: attainment, goodput and times; tiers without a request on this path are absent.
    """

    metrics: Mapping[str, float]
    tiers: Mapping[str, Mapping[str, float]]


def judge(run: Run, path: Workload, scoring: Scoring, warm_up_rule: str) -> Judged:
    """Judge a finished run.

    Times and attainment leave the warm-up out; goodput, counts and server-hours cover the whole run. Goodput is
    requests within their objectives per second from the first arrival to the last completion or arrival. Rejected
    requests have no times and count as missed.
    """
    shown = _after_warm_up(run, warm_up_rule)
    horizon_s = horizon(run)
    everyone = np.ones(len(run), dtype=bool)
    found = _times(run, shown)
    hours = float(run.on_s.sum()) / HOUR_S
    found["server_hours"] = hours
    for name in ("rejected", "restarts", "migrations", "preemptions"):
        found[name] = float(getattr(run, name).sum())
    if run.energy_j is not None:
        found["energy_j"] = float(run.energy_j.sum())
    tiers: dict[str, dict[str, float]] = {}
    for k, tier in enumerate(path.classes):
        rows = path.class_id == k
        if rows.any():
            tiers[tier.name] = _tier(run, tier, rows, shown, horizon_s, scoring)
    if all(tier.slo is not None for tier in path.classes):
        good = good_requests(run, path, scoring)
        found |= _goodness(good, everyone & shown, horizon_s)
        count = float(good.sum())
        if hours > 0:
            found["good_per_server_hour"] = count / hours
        if run.energy_j is not None and count:
            found["energy_per_good_j"] = found["energy_j"] / count
    return Judged({name: found[name] for name in UNITS if name in found}, tiers)


def good_requests(run: Run, path: Workload, scoring: Scoring) -> NDArray[np.bool_]:
    """Say which requests are within the objectives of their tiers; shape ``(n,)``."""
    good = np.zeros(len(run), dtype=bool)
    for k, tier in enumerate(path.classes):
        rows = path.class_id == k
        if rows.any():
            good |= within_objective(run, tier, rows, scoring)
    return good


def horizon(run: Run) -> float:
    """Seconds from the first arrival to the last completion or arrival.

    Raises
    ------
    InputError
        When that is no time at all: no rate exists.
    """
    last_s = max(float(run.arrival_s[-1]), float(np.nanmax(run.completion_s, initial=0.0)))
    span_s = last_s - float(run.arrival_s[0])
    if span_s <= 0:
        raise InputError(f"run of {run.policy!r} takes no time: no rates exist")
    return span_s


def _tier(
    run: Run,
    tier: RequestClass,
    rows: NDArray[np.bool_],
    shown: NDArray[np.bool_],
    horizon_s: float,
    scoring: Scoring,
) -> dict[str, float]:
    found = _times(run, rows & shown)
    found["rejected"] = float(run.rejected[rows].sum())
    found["preemptions"] = float(run.preemptions[rows].sum())
    if tier.slo is not None:
        found |= _goodness(within_objective(run, tier, rows, scoring), rows & shown, horizon_s)
    return {name: found[name] for name in UNITS if name in found}


def _goodness(good: NDArray[np.bool_], shown: NDArray[np.bool_], horizon_s: float) -> dict[str, float]:
    found = {"goodput_per_s": float(good.sum()) / horizon_s}
    if shown.any():
        found["attainment"] = float(good[shown].mean())
    return found


def _times(run: Run, rows: NDArray[np.bool_]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, values in {"ttft": run.ttft_s, "tpot": mean_tpot_s(run)}.items():
        there = values[rows & np.isfinite(values)]
        if there.size:
            found |= {f"{name}_{p}_s": value for p, value in percentiles(there, PERCENTS).items()}
    latency = _finite(run.latency_s[rows])
    if latency.size:
        found["latency_mean_s"] = float(latency.mean())
    return found


def _after_warm_up(run: Run, rule: str) -> NDArray[np.bool_]:
    """Say which arrivals come after the warm-up, whose end is found on the latencies of completed requests."""
    completed = np.flatnonzero(np.isfinite(run.completion_s))
    shown = np.ones(len(run), dtype=bool)
    if completed.size:
        skip = warm_up(run.latency_s[completed], rule).skip
        if skip:
            shown[: completed[min(skip, completed.size - 1)]] = False
    return shown


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]
