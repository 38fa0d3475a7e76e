"""What a run is judged by: one number per metric, under fixed names, units and directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.run import Run
from orsched.scoring import Bools, horizon_s, kept_deadlines, mean_tpot
from orsched.statistics.quantiles import PERCENTILES, percentiles
from orsched.work import Floats

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric's number means.

    Parameters
    ----------
    unit : str
        Its unit; ``"1"`` for a ratio.
    better : {"lower", "higher"} or None
        Which direction is better; None when neither is (a diagnostic such as utilisation).
    description : str
        One line for tables and help.
    """

    unit: str
    better: Better | None
    description: str


def _times(name: str, what: str) -> dict[str, Metric]:
    rows = {f"{name}_mean_s": Metric("s", "lower", f"mean {what}")}
    for p in PERCENTILES:
        rows[f"{name}_p{p}_s"] = Metric("s", "lower", f"{p}th percentile of the {what}")
    return rows


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        **_times("latency", "time from arrival to completion"),
        **_times("ttft", "time from arrival to first token"),
        **_times("tpot", "time per output token after the first, over requests with at least two"),
        **_times("itl", "gap between consecutive output tokens of a request, over all tokens"),
        "queueing_mean_s": Metric("s", "lower", "mean time from arrival to first scheduling"),
        "throughput_requests_per_s": Metric("1/s", "higher", "requests per second of makespan"),
        "output_throughput_tokens_per_s": Metric("token/s", "higher", "output tokens per second of makespan"),
        "effective_throughput_tokens_per_s": Metric(
            "token/s", "higher", "output tokens after each request's first, per second of makespan"
        ),
        "utilisation": Metric("1", None, "share of the instances' time with an iteration in flight"),
        "kv_utilisation": Metric("1", None, "resident KV tokens over capacity, averaged over time"),
        "batch_mean": Metric("request", None, "mean batch size while busy, averaged over time"),
        "preemptions_per_request": Metric("1", "lower", "mean number of times a request lost its KV cache"),
        "energy_per_token_j": Metric("J/token", "lower", "energy of the fleet, idle time included, per output token"),
        "power_mean_w": Metric("W", None, "mean power of the fleet over the makespan"),
        "rejected_share": Metric("1", "lower", "share of requests turned away; times are those of the others"),
        "goodput_requests_per_s": Metric("1/s", "higher", "requests within their SLO per second of makespan"),
        "slo_attainment": Metric("1", "higher", "share of requests within their SLO"),
        "deadline_goodput_requests_per_s": Metric(
            "1/s", "higher", "requests that kept all cumulative deadlines per second of makespan"
        ),
        "deadline_attainment": Metric("1", "higher", "share of requests that kept all cumulative deadlines"),
    }
)
"""Every metric `measure` can return, in the order of its result."""

OF_OBJECTIVE = (
    "goodput_requests_per_s",
    "slo_attainment",
    "deadline_goodput_requests_per_s",
    "deadline_attainment",
)
"""Metrics that are measured only where requests have an objective."""

_WHOEVER_COMPLETES = frozenset({"slo_attainment", "deadline_attainment"})
"""Metrics whose bounds hold for every policy, also for one that turns requests away."""


def comparable(metric: str, measured: Mapping[str, float]) -> bool:
    """Whether `metric`, as `measured`, may be compared with a pathwise bound.

    Bounds on times and rates are for policies that complete every request. A run that turned some away has done less
    work, and its times are those of the requests that it picked: only shares that count rejections as misses compare.
    """
    return metric in _WHOEVER_COMPLETES or not measured["rejected_share"] > 0


def measure(run: Run, slo: SLO | Objectives | None = None, *, skip: int = 0) -> dict[str, float]:
    """Measure a run.

    Parameters
    ----------
    run : Run
        A finished run. Requests that were rejected have no times: those are measured over the others, and
        ``rejected_share`` says how many that leaves out. They count as missed in goodput and attainment.
    slo : SLO or Objectives, optional
        Objective of all requests, or one for each, for ``goodput_requests_per_s`` and ``slo_attainment``
        (`orsched.scoring.mean_tpot`); without it they are absent. Those of cumulative deadlines are measured with the
        objectives that the run was simulated with, if it was simulated with ``deadlines=True``.
    skip : int
        Leave the first `skip` arrivals (warm-up) out of the per-request metrics: times, preemptions, rejections and
        SLO attainment. Rates, goodput, utilisation and batch size always cover the whole run, from the first
        arrival to the last completion (makespan), or to the last arrival where that is later because of rejections.
        Bounds cover whole sample paths: gaps need ``skip=0``.

    Returns
    -------
    dict of str to float
        Keys in the order of `METRICS`. Percentiles of the inter-token gaps need a run simulated with
        ``token_gaps=True`` and ``skip=0``, energy a power law of the hardware. A metric that the run does not have
        (time per output token when every request has one token) is absent; no value is NaN.

    Raises
    ------
    InputError
        When a request has neither completed nor been rejected, when `skip` leaves no request, or when the run takes no
        time.
    """
    served = _served(run)
    if not 0 <= skip < len(run):
        raise InputError(f"skip = {skip!r} of {len(run)} requests: must be >= 0 and leave at least one")
    makespan_s = horizon_s(run)
    shown = served & (np.arange(len(run)) >= skip)
    gaps = run.output_tokens - 1
    several = shown & (gaps > 0)
    decode_s = (run.completion_s - run.first_token_s)[several]
    found = {
        **_summary("latency", run.latency_s[shown]),
        **_summary("ttft", run.ttft_s[shown]),
        **_summary("tpot", decode_s / gaps[several]),
    }
    if several.any():
        found["itl_mean_s"] = float(decode_s.sum() / gaps[several].sum())
        if run.token_gaps is not None and not skip:
            found.update({f"itl_p{p}_s": run.token_gaps.quantile_s(p / 100) for p in PERCENTILES})
    if shown.any():
        found["queueing_mean_s"] = float(run.queueing_s[shown].mean())
    output_tokens = float(run.output_tokens[served].sum())
    found["throughput_requests_per_s"] = int(served.sum()) / makespan_s
    found["output_throughput_tokens_per_s"] = output_tokens / makespan_s
    found["effective_throughput_tokens_per_s"] = float(gaps[served].sum()) / makespan_s
    busy_s, time_s = float(run.busy_s.sum()), float(run.on_s.sum())
    if time_s > 0:
        found["utilisation"] = busy_s / time_s
        found["kv_utilisation"] = float(run.kv_token_s.sum()) / float(run.on_s @ run.kv_capacity_tokens)
    if busy_s > 0:
        found["batch_mean"] = float(run.batch_s.sum()) / busy_s
    found["preemptions_per_request"] = float(run.preemptions[skip:].mean())
    if run.energy_j is not None:
        energy_j = float(run.energy_j.sum())
        if output_tokens > 0:
            found["energy_per_token_j"] = energy_j / output_tokens
        found["power_mean_w"] = energy_j / makespan_s
    found["rejected_share"] = float((run.rejected[skip:] > 0).mean())
    if slo is not None:
        met = mean_tpot(run, Objectives.same(slo, len(run)) if isinstance(slo, SLO) else slo)
        found["goodput_requests_per_s"] = float(met.sum()) / makespan_s
        found["slo_attainment"] = float(met[skip:].mean())
    if run.lateness_s is not None:
        kept = kept_deadlines(run)
        found["deadline_goodput_requests_per_s"] = float(kept.sum()) / makespan_s
        found["deadline_attainment"] = float(kept[skip:].mean())
    return found


def _summary(name: str, times_s: Floats) -> dict[str, float]:
    if times_s.size == 0:
        return {}
    tail = {f"{name}_{p}_s": value for p, value in percentiles(times_s).items()}
    return {f"{name}_mean_s": float(times_s.mean()), **tail}


def _served(run: Run) -> Bools:
    """Requests that completed; the others must have been rejected."""
    if len(run) == 0:
        raise InputError("a run without requests has no metrics")
    served: Bools = run.rejected == 0
    unfinished = served & ~np.isfinite(run.completion_s + run.first_token_s + run.first_scheduled_s)
    if unfinished.any():
        row = int(np.argmax(unfinished))
        count = f"{int(unfinished.sum())} of {len(run)} requests have not completed (first: request {row})"
        raise InputError(f"run of {run.policy!r}: {count}; metrics of the others would mislead")
    return served
