"""Every bound that holds for every policy on one sample path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from fluid.pathwise.alike import alike
from fluid.pathwise.congestion import congestion_bound_s
from fluid.pathwise.critical_path import CriticalPaths
from fluid.pathwise.goodput import goodput_bounds
from fluid.pathwise.latency import SrptFamily
from fluid.pathwise.makespan import clock_allowance_s, least_makespan_s
from fluid.pathwise.quantiles import quantile_bounds
from fluid.programme import SolverError
from fluid.subject import subject
from orsched.bound import Bound
from orsched.fitting import require_fit
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.statistics.quantiles import percentiles
from orsched.work import Floats
from orsched.workloads import Workload

TOLERANCE = 1e-9
"""Relative amount by which each bound is moved to the safe side.

It covers the rounding of the bound's own evaluation (sums of non-negative terms, or integers) and that of a
simulator's clock, which adds up to millions of iterations.
"""


def bounds(workload: Workload, fleet: Fleet, slo: SLO | Objectives | None = None) -> tuple[Bound, ...]:
    """Bounds on mean and quantile latencies, throughput and goodput for every policy on this sample path.

    Metrics and their definitions:

    - ``latency_mean_s``, ``ttft_mean_s``: completion minus arrival, first token minus arrival.
    - ``tpot_mean_s``: (completion - first token) / (o - 1), averaged over the requests with o >= 2; and
      ``itl_mean_s``, the same with numerators and denominators summed first.
    - ``effective_throughput_tokens_per_s``: decode tokens ``sum (o - 1)`` over the makespan, the time from the
      first arrival to the last completion; ``output_throughput_tokens_per_s`` and
      ``throughput_requests_per_s`` count all output tokens and requests instead.
    - ``latency_p50_s``, ``ttft_p90_s``, ``tpot_p99_s``, ...: quantiles as in `orsched.statistics.quantiles`. If every
      request's value is at least b_i, the quantile is at least the quantile of the b_i; and where too few
      requests can be done in time d, it exceeds d (`fluid.pathwise.quantiles`).
    - ``slo_attainment``, ``goodput_requests_per_s``: share and rate of requests that meet the objective
      (`fluid.pathwise.goodput`).

    Assumes that every request completes (a run that drains and rejects nobody; ``slo_attainment`` needs neither), at
    the neutral operating point, with at most one token per request and iteration. All are pathwise. Roles, links,
    instances that are off and migrations only take time away; unequal hardware is bounded as identical instances that
    are as good as the best of each in every respect (`fluid.pathwise.alike.alike`, where both are proved).

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.
    slo : SLO or Objectives, optional
        Objective that attainment and goodput count by, of all requests or of each; without it they have no bound.
        Those of cumulative deadlines are bounded by `fluid.pathwise.goodput.deadline_goodput_bounds`.

    Returns
    -------
    tuple of Bound
        Possibly several per metric; `orsched.bound.best_bound` picks the tightest.

    Raises
    ------
    InputError
        When a request does not fit into the KV memory of an instance: no policy completes it.
    """
    require_fit(workload, fleet)
    identity, same = subject(workload, fleet), alike(fleet)
    found = (*_congestion(workload, same, identity), *_closed_forms(workload, same, identity))
    return (*found, *quantile_bounds(workload, fleet), *_goodput(workload, fleet, slo))


def fast_bounds(workload: Workload, fleet: Fleet, slo: SLO | Objectives | None = None) -> tuple[Bound, ...]:
    """Those of `bounds` that take no linear programme over requests and no search over quantiles.

    Each has the validity and the proof that it has there, and every metric that has a bound keeps one. Those on mean
    latency (``congestion-lp`` is left out) and on quantiles (``deadline``) may be weaker. 10,000 requests take about a
    tenth of a second, against one to two with `bounds`. Parameters, result and errors are those of `bounds`.
    """
    require_fit(workload, fleet)
    found = _closed_forms(workload, alike(fleet), subject(workload, fleet))
    return (*found, *_goodput(workload, fleet, slo))


def _goodput(workload: Workload, fleet: Fleet, slo: SLO | Objectives | None) -> tuple[Bound, ...]:
    return goodput_bounds(workload, fleet, slo) if slo else ()


def _congestion(workload: Workload, fleet: Fleet, identity: str) -> Iterator[Bound]:
    # A solver that gives up on extreme coefficients takes one bound away; the others stand without it.
    with suppress(SolverError):
        crowded, congestion = congestion_bound_s(workload, fleet)
        value = float(crowded / len(workload))
        yield _lower(identity, clock_allowance_s(workload), "congestion-lp", "latency_mean_s", value, **congestion)


def _closed_forms(workload: Workload, fleet: Fleet, identity: str) -> Iterator[Bound]:
    paths = CriticalPaths.of(workload, fleet)
    family = SrptFamily.of(workload, fleet)
    first, first_choice = family.mean_first_token()
    whole, whole_choice = family.mean_latency()
    lower = partial(_lower, identity, clock_allowance_s(workload))
    yield lower("srpt-family", "latency_mean_s", whole, **asdict(whole_choice))
    decode = float(np.mean(paths.decode_s))
    yield lower("srpt-first-token", "latency_mean_s", first + decode, **asdict(first_choice))
    yield lower("critical-path", "latency_mean_s", float(np.mean(paths.latency_s)))
    yield lower("srpt-first-token", "ttft_mean_s", first, **asdict(first_choice))
    yield lower("critical-path", "ttft_mean_s", float(np.mean(paths.prefill_s)))
    yield from _quantile_bounds(lower, "latency", paths.latency_s)
    yield from _quantile_bounds(lower, "ttft", paths.prefill_s)
    if len(paths.tpot_s):
        yield lower("critical-path", "tpot_mean_s", float(np.mean(paths.tpot_s)))
        yield from _quantile_bounds(lower, "tpot", paths.tpot_s)
        yield lower("critical-path", "itl_mean_s", _itl_mean_s(paths))
    yield from _throughput_bounds(workload, fleet, identity)


def _quantile_bounds(lower: Callable[..., Bound], quantity: str, values: Floats) -> Iterator[Bound]:
    for percent, value in percentiles(values).items():
        yield lower("critical-path", f"{quantity}_{percent}_s", value)


def _itl_mean_s(paths: CriticalPaths) -> float:
    return float(np.sum(paths.decode_s) / np.sum(paths.output_tokens - 1))


def _throughput_bounds(workload: Workload, fleet: Fleet, identity: str) -> Iterator[Bound]:
    """All that is to be done over the least makespan."""
    makespan = least_makespan_s(workload, fleet)
    outputs = int(np.sum(workload.output_tokens))
    amounts = {
        "effective_throughput_tokens_per_s": outputs - len(workload),
        "output_throughput_tokens_per_s": outputs,
        "throughput_requests_per_s": len(workload),
    }
    for metric, amount in amounts.items():
        if amount:
            value = amount / makespan * (1 + TOLERANCE)
            facts = {"amount": amount, "makespan_s": makespan, "relative_tolerance": TOLERANCE}
            yield Bound("planning-makespan", value, "upper", metric, "pathwise", True, identity, facts)


def _lower(identity: str, clock_s: float, name: str, metric: str, value: float, **facts: Any) -> Bound:
    certificate = {**facts, "relative_tolerance": TOLERANCE, "clock_allowance_s": clock_s}
    outward = max(value * (1 - TOLERANCE) - clock_s, 0.0)
    return Bound(name, outward, "lower", metric, "pathwise", True, identity, certificate)
