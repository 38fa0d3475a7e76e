"""What a run is judged by: one number per metric, under fixed names, units and directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from orsched.errors import InputError
from orsched.quantiles import PERCENTILES, percentiles
from orsched.request import SLO
from orsched.run import Run
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
        "goodput_requests_per_s": Metric("1/s", "higher", "requests within their SLO per second of makespan"),
        "slo_attainment": Metric("1", "higher", "share of requests within their SLO"),
    }
)
"""Every metric `measure` can return, in the order of its result."""


def measure(run: Run, slo: SLO | None = None, *, skip: int = 0) -> dict[str, float]:
    """Measure a run.

    Parameters
    ----------
    run : Run
        A finished run.
    slo : SLO, optional
        Objective for ``goodput_requests_per_s`` and ``slo_attainment``; without it they are absent. A request
        with one output token has no time per output token: only the first-token limit applies to it.
    skip : int
        Leave the first `skip` arrivals (warm-up) out of the per-request metrics: times, preemptions and SLO
        attainment. Rates, goodput, utilisation and batch size always cover the whole run, from the first
        arrival to the last completion (makespan). Bounds cover whole sample paths: gaps need ``skip=0``.

    Returns
    -------
    dict of str to float
        Keys in the order of `METRICS`. Percentiles of the inter-token gaps need a run simulated with
        ``token_gaps=True`` and ``skip=0``, energy a power law of the hardware. A metric that the run does not have
        (time per output token when every request has one token) is absent; no value is NaN.

    Raises
    ------
    InputError
        When a request has not completed, when `skip` leaves no request, or when the run takes no time.
    """
    _require_finished(run)
    if not 0 <= skip < len(run):
        raise InputError(f"skip = {skip!r} of {len(run)} requests: must be >= 0 and leave at least one")
    makespan_s = run.makespan_s
    if not makespan_s > 0:
        raise InputError(f"run of {run.policy!r} has a makespan of {makespan_s} s: no rates exist")
    gaps = run.output_tokens - 1
    several = gaps[skip:] > 0
    decode_s = (run.completion_s - run.first_token_s)[skip:][several]
    found = {
        **_summary("latency", run.latency_s[skip:]),
        **_summary("ttft", run.ttft_s[skip:]),
        **_summary("tpot", decode_s / gaps[skip:][several]),
    }
    if several.any():
        found["itl_mean_s"] = float(decode_s.sum() / gaps[skip:].sum())
        if run.token_gaps is not None and not skip:
            found.update({f"itl_p{p}_s": run.token_gaps.quantile_s(p / 100) for p in PERCENTILES})
    found["queueing_mean_s"] = float(run.queueing_s[skip:].mean())
    found["throughput_requests_per_s"] = len(run) / makespan_s
    found["output_throughput_tokens_per_s"] = float(run.output_tokens.sum()) / makespan_s
    found["effective_throughput_tokens_per_s"] = float(gaps.sum()) / makespan_s
    busy_s, time_s = float(run.busy_s.sum()), float(run.on_s.sum())
    found["utilisation"] = busy_s / time_s
    found["kv_utilisation"] = float(run.kv_token_s.sum()) / float(run.on_s @ run.kv_capacity_tokens)
    if busy_s > 0:
        found["batch_mean"] = float(run.batch_s.sum()) / busy_s
    found["preemptions_per_request"] = float(run.preemptions[skip:].mean())
    if run.energy_j is not None:
        energy_j = float(run.energy_j.sum())
        found["energy_per_token_j"] = energy_j / float(run.output_tokens.sum())
        found["power_mean_w"] = energy_j / makespan_s
    if slo is not None:
        met = _meets(run, slo)
        found["goodput_requests_per_s"] = float(met.sum()) / makespan_s
        found["slo_attainment"] = float(met[skip:].mean())
    return found


def _summary(name: str, times_s: Floats) -> dict[str, float]:
    if times_s.size == 0:
        return {}
    tail = {f"{name}_{p}_s": value for p, value in percentiles(times_s).items()}
    return {f"{name}_mean_s": float(times_s.mean()), **tail}


def _meets(run: Run, slo: SLO) -> NDArray[np.bool_]:
    tpot_s = (run.completion_s - run.first_token_s) / np.maximum(run.output_tokens - 1, 1)
    in_time = (tpot_s <= slo.tpot_s) | (run.output_tokens == 1)
    return np.asarray((run.ttft_s <= slo.ttft_s) & in_time)


def _require_finished(run: Run) -> None:
    if len(run) == 0:
        raise InputError("a run without requests has no metrics")
    unfinished = ~np.isfinite(run.completion_s + run.first_token_s + run.first_scheduled_s)
    if unfinished.any():
        row = int(np.argmax(unfinished))
        count = f"{int(unfinished.sum())} of {len(run)} requests have not completed (first: request {row})"
        raise InputError(f"run of {run.policy!r}: {count}; metrics of the others would mislead")
