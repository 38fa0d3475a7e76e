"""What one run of a fleet is judged by: numbers of the whole, and of each tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.fleet.spec_file import ScoringName
from orsched.objectives import Objectives
from orsched.quantiles import percentiles
from orsched.run import Run
from orsched.scoring import SCORINGS, goodput_per_server_hour, horizon_s
from orsched.warmup import warm_up
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


def judge(run: Run, path: Workload, scoring: ScoringName, warm_up_rule: str) -> Judged:
    """Judge a finished run.

    Times and attainment leave the warm-up out; goodput, counts and server-hours cover the whole run. Goodput is
    requests within their objectives per second from the first arrival to the last completion or arrival. Rejected
    requests have no times and count as missed.
    """
    shown, seconds = _after_warm_up(run, warm_up_rule), horizon_s(run)
    met = good_requests(run, path, scoring) if all(tier.slo is not None for tier in path.classes) else None
    tiers = {}
    for k, tier in enumerate(path.classes):
        rows = path.class_id == k
        if rows.any():
            tiers[tier.name] = _part(run, rows, shown, met, seconds)
    found = _part(run, np.ones(len(run), dtype=bool), shown, met, seconds)
    found |= {name: float(getattr(run, name).sum()) for name in ("restarts", "migrations")}
    found["server_hours"] = float(run.on_s.sum()) / HOUR_S
    if met is not None and found["server_hours"] > 0:
        found["good_per_server_hour"] = goodput_per_server_hour(run, met)
    if run.energy_j is not None:
        found["energy_j"] = float(run.energy_j.sum())
        if met is not None and met.any():
            found["energy_per_good_j"] = found["energy_j"] / float(met.sum())
    return Judged(_in_order(found), {name: _in_order(part) for name, part in tiers.items()})


def good_requests(run: Run, path: Workload, scoring: ScoringName) -> NDArray[np.bool_]:
    """Say which requests are within the objectives of their tiers; shape ``(n,)``."""
    return SCORINGS[scoring](run, Objectives.of(path))


def _part(
    run: Run, rows: NDArray[np.bool_], shown: NDArray[np.bool_], met: NDArray[np.bool_] | None, seconds: float
) -> dict[str, float]:
    """Measure the requests in `rows`."""
    found = _times(run, rows & shown)
    found |= {name: float(getattr(run, name)[rows].sum()) for name in ("rejected", "preemptions")}
    if met is not None:
        found["goodput_per_s"] = float((met & rows).sum()) / seconds
        if (rows & shown).any():
            found["attainment"] = float(met[rows & shown].mean())
    return found


def _in_order(found: Mapping[str, float]) -> dict[str, float]:
    return {name: found[name] for name in UNITS if name in found}


def _times(run: Run, rows: NDArray[np.bool_]) -> dict[str, float]:
    found: dict[str, float] = {}
    done = rows & np.isfinite(run.completion_s)
    several = done & (run.output_tokens > 1)
    tpot_s = (run.completion_s - run.first_token_s)[several] / (run.output_tokens[several] - 1)
    for name, values in {"ttft": run.ttft_s[done], "tpot": tpot_s}.items():
        if values.size:
            found |= {f"{name}_{p}_s": value for p, value in percentiles(values, PERCENTS).items()}
    if done.any():
        found["latency_mean_s"] = float(run.latency_s[done].mean())
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
