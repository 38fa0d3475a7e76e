"""What one run of a fleet is judged by: numbers of the whole, and of each tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.fleet.spec_file import ScoringName
from orsched.objectives import Objectives
from orsched.run import Run
from orsched.scoring import SCORINGS, Bools
from orsched.statistics.quantiles import percentiles
from orsched.statistics.warmup import warm_up
from orsched.workloads import Workload

HOUR_S = 3600.0
MSER = "mser-5"
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
    "deaths": "",
    "failed_starts": "",
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
        By tier: attainment, goodput, times, rejections and preemptions; tiers without a request on this path are
        absent.
    good : int, optional
        Requests within their objectives; None without objectives.
    """

    metrics: Mapping[str, float]
    tiers: Mapping[str, Mapping[str, float]]
    good: int | None


def judge(run: Run, path: Workload, scoring: ScoringName, skip: int) -> Judged:
    """Judge a finished run.

    Goodput is requests within their objectives per second of the arrivals' span, and server-hours are those of the same
    time: a window that is the same for all policies. One that ended with each policy's last completion would be
    shorter for those that turn long requests away. Rejected requests have no times and count as missed. Counts, goodput
    and server-hours are of all requests; times and attainment leave out the first `skip` arrivals.
    """
    shown = np.arange(len(run)) >= skip
    met = good_requests(run, path, scoring) if all(tier.slo is not None for tier in path.classes) else None
    tiers = {}
    for k, tier in enumerate(path.classes):
        rows = path.class_id == k
        if rows.any():
            tiers[tier.name] = _part(run, rows, shown, met, path.span_s)
    found = _part(run, np.ones(len(run), dtype=bool), shown, met, path.span_s)
    found |= {name: float(getattr(run, name).sum()) for name in ("restarts", "migrations")}
    assert run.log is not None
    found["deaths"] = float(run.log.count("died"))
    found["failed_starts"] = float(run.log.count("start-failed"))
    first_s, last_s = float(path.arrival_s[0]), float(path.arrival_s[-1])
    found["server_hours"] = run.log.instances_on().integral(first_s, last_s) / HOUR_S
    good = None if met is None else int(met.sum())
    if good is not None and found["server_hours"] > 0:
        found["good_per_server_hour"] = good / found["server_hours"]
    if run.energy_j is not None:
        found["energy_j"] = float(run.energy_j.sum())
        if good:
            found["energy_per_good_j"] = found["energy_j"] / good
    return Judged(_in_order(found), {name: _in_order(part) for name, part in tiers.items()}, good)


def arrivals_left_out(run: Run, rule: str) -> int:
    """How many first arrivals of a path are its warm-up, for all policies.

    A fixed share is one of the arrivals. MSER-5 looks at the latencies of the requests that completed in `run`, the
    one of the first policy, in order of arrival; its cut is the arrival of the first that it keeps.
    """
    if rule != MSER:
        return warm_up(run.arrival_s, rule).skip  # which depends on their number only
    completed = np.flatnonzero(np.isfinite(run.completion_s))
    return int(completed[warm_up(run.latency_s[completed], rule).skip]) if completed.size else 0


def good_requests(run: Run, path: Workload, scoring: ScoringName) -> Bools:
    """Say which requests are within the objectives of their tiers; shape ``(n,)``."""
    return SCORINGS[scoring](run, Objectives.of(path))


def _part(run: Run, rows: Bools, shown: Bools, met: Bools | None, seconds: float) -> dict[str, float]:
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


def _times(run: Run, rows: Bools) -> dict[str, float]:
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
