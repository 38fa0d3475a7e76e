"""One sample path of a sweep, and what is written down about a policy on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

from experiments.paths.streams import Stream, generator, seed_sequence
from experiments.reproductions.sweep import Point, Sweep
from orsched.engine.simulation import simulate
from orsched.metrics import measure
from orsched.policy import Policy
from orsched.statistics.stability import stability
from orsched.workloads import Workload
from orsched.workloads.arrivals import Poisson

WINDOW = (0.2, 0.8)
"""Shares of the arrivals between which times are averaged: the start and the end of a path are left out."""


class Row(TypedDict):
    """One policy on one path.

    ``latency_mean_s`` and ``ttft_mean_s`` are means over the arrivals in `WINDOW`; the others cover the whole path.
    """

    latency_mean_s: float
    ttft_mean_s: float
    whole_latency_mean_s: float
    effective_throughput_tokens_per_s: float
    preemptions_per_request: float
    stable: bool
    growth_per_s: float


def sample(sweep: Sweep, point: Point, stream: Stream, replication: int, seed: int) -> Workload:
    """Draw a path: it depends on the sweep's law, the point, the purpose, the replication and the seed only.

    The same numbers are drawn at every rate, scaled in time, and a shorter path is the beginning of a longer one.
    """
    law = replace(sweep.law, arrivals=Poisson(point.rate_per_s))
    return law.draw(point.requests, generator(seed, stream, replication))


def observe(sweep: Sweep, workload: Workload, policy: Policy, load: float, replication: int, seed: int) -> Row:
    """Let `policy` serve a path."""
    run = simulate(workload, sweep.fleet, policy, seed_sequence(seed, Stream.POLICY, replication))
    whole = measure(run)
    first, last = (int(share * len(run)) for share in WINDOW)
    verdict = stability(run, load)
    return {
        "latency_mean_s": float(run.latency_s[first:last].mean()),
        "ttft_mean_s": float(run.ttft_s[first:last].mean()),
        "whole_latency_mean_s": whole["latency_mean_s"],
        "effective_throughput_tokens_per_s": whole["effective_throughput_tokens_per_s"],
        "preemptions_per_request": whole["preemptions_per_request"],
        "stable": verdict.stable,
        "growth_per_s": verdict.growth_per_s,
    }
