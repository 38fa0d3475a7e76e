"""Nested WAIT's conditions, and how to choose cut points and integer thresholds that satisfy them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from orsched.catalogue import Hardware
from orsched.errors import InputError
from policies.wait.drift import OverflowRisk
from policies.wait.nested_law import NestedLaw
from policies.wait.segments import NestedSegments
from policies.wait.thresholds import STAGE_ITERATIONS

Arrivals = Callable[[float], float]
"""Expected arrivals within so many seconds, in the busiest window."""

Fill = Callable[[tuple[int, ...], tuple[int, ...], int], NestedSegments]
"""Segments of given cut points, thresholds and stage length."""

_SLACKS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Ratios ``n_k / n_{k-1}`` tried: this share of the way from ``p_k`` to 1, rounded up to whole prompts."""


@dataclass(frozen=True, slots=True)
class NestedThresholds:
    """Segments that satisfy the conditions, with both sides of them.

    Parameters
    ----------
    segments : NestedSegments
        Cut points, thresholds, survival.
    risk : OverflowRisk
        What the buffer is for.
    cycle_s : float
        ``Delta^pi``, seconds.
    memory_tokens : float
        ``M^pi``, KV tokens, with blocks rounded up.
    buffer_tokens : float
        KV tokens for the boundary queues, with blocks rounded up.
    slack : float
        ``n_1 / A(Delta^pi) - 1`` with A the expected arrivals in the busiest window; positive.
    """

    segments: NestedSegments
    risk: OverflowRisk
    cycle_s: float
    memory_tokens: float
    buffer_tokens: float
    slack: float

    def settings(self) -> dict[str, Any]:
        """What tables print."""
        segments = self.segments
        return {
            "cuts": list(segments.cuts),
            "thresholds": list(segments.thresholds),
            "survival": list(segments.survival),
            "theta": list(segments.theta),
            "stage_iterations": segments.stage_iterations,
            "cycle_s": self.cycle_s,
            "memory_tokens": self.memory_tokens,
            "buffer_tokens": self.buffer_tokens,
            "slack": self.slack,
            "overflow_probability": self.risk.probability,
            "horizon_iterations": self.risk.horizon_iterations,
        }


def check_segments(
    segments: NestedSegments, arrivals: Arrivals, hardware: Hardware, risk: OverflowRisk
) -> NestedThresholds:
    """Check Nested WAIT's conditions (arXiv 2504.11320, journal revision).

    They are ``A(Delta^pi) < n_1`` with ``A(h) = Lambda_1 h`` for a constant rate, ``p_k < n_k / n_{k-1}``, and that
    ``M^pi`` and the buffers of the boundary queues fit in the memory. Seats are the deployment's.

    Raises
    ------
    InputError
        Naming the condition that is violated, with both sides of it.
    """
    n = segments.thresholds
    for k, ((before, after), p) in enumerate(zip(pairwise(n), segments.survival, strict=True), 2):
        if after <= before * p * (1 + 1e-12):
            raise InputError(
                f"thresholds {n} violate p_k < n_k / n_(k-1): of {before} prompts a mean of {before * p:.4g} goes on "
                f"to segment {k}, which takes {after} at a time; raise n_{k}"
            )
    if segments.seats > hardware.max_num_seqs:
        raise InputError(
            f"thresholds {n} need {segments.seats} requests in a batch, at most {hardware.max_num_seqs} fit; "
            "lower them or lengthen the stages"
        )
    rounded = replace(segments, prompt_tokens=tuple(t + hardware.block_tokens - 1 for t in segments.prompt_tokens))
    memory = rounded.memory_tokens
    buffer = rounded.required_tokens(risk) - memory
    if memory + buffer > hardware.kv_capacity_tokens:
        raise InputError(
            f"thresholds {n} violate the memory requirement: {memory:.0f} KV tokens for full stages and {buffer:.0f} "
            f"for the boundary queues, {hardware.kv_capacity_tokens} there; lower them, lengthen the stages, or allow "
            "a larger overflow probability"
        )
    cycle = segments.cycle_s(hardware.service)
    expected = arrivals(cycle)
    if expected >= n[0]:
        raise InputError(
            f"thresholds {n} violate Delta^pi < n_1 / Lambda_1: {expected:.6g} prompts arrive in a full cycle of "
            f"{cycle:.6g} s, {n[0]} are taken; raise n_1 or lower the load"
        )
    slack = n[0] / expected - 1 if expected else math.inf
    return NestedThresholds(segments, risk, float(cycle), float(memory), float(buffer), slack)


def choose_segments(
    law: NestedLaw, fill: Fill, number: int, arrivals: Arrivals, hardware: Hardware, risk: OverflowRisk
) -> NestedThresholds:
    """Cut points, integer thresholds and stage length that satisfy the conditions with the fewest requests in system.

    Stages of one iteration, the algorithm as printed, are taken whenever they are feasible. Among candidates the one
    with the fewest requests in the system by the theory is chosen (`expected_in_system`), by Little's law the one with
    the least mean latency; the same criterion as WAIT's.

    Parameters
    ----------
    law : NestedLaw
        The lengths.
    fill : callable
        `NestedLaw.full` or `NestedLaw.mean`.
    number : int
        Segments; fewer where output lengths repeat too much.
    arrivals : callable
        Expected arrivals on one instance within so many seconds, in the busiest window.
    hardware : Hardware
        The instance.
    risk : OverflowRisk
        What the buffer of the boundary queues is for.

    Raises
    ------
    InputError
        When no candidate satisfies the conditions.
    """
    best: NestedThresholds | None = None
    fewest = math.inf
    for g in STAGE_ITERATIONS:
        for cuts in law.cuts(number, g):
            empty = fill(cuts, (1,) * len(cuts), g)
            share = law.occupancy(cuts, g)
            for slack in _SLACKS if len(cuts) > 1 else _SLACKS[:1]:
                for segments, expected in _candidates(empty, slack, arrivals, hardware):
                    if _interior(segments, share) >= fewest:
                        break
                    count = expected_in_system(segments, share, expected)
                    if count < fewest:
                        try:
                            best = check_segments(segments, arrivals, hardware, risk)
                        except InputError:
                            continue
                        fewest = count
        if g > law.longest_decode or (g == 1 and best is not None):
            break
    if best is None:
        raise InputError(
            f"no integer thresholds satisfy Nested WAIT's conditions with {number} segments at this load: "
            "lower the load, allow a larger overflow probability, use hardware with more KV memory, "
            "or plan with stages as full as they are on average (NestedWait.from_mean_occupancy)"
        )
    return best


def expected_in_system(segments: NestedSegments, occupancy: tuple[float, ...], expected: float) -> float:
    """Requests in the system that the theory predicts, `expected` of them arriving in a cycle of ``Delta^pi``.

    A segment fires once per ``n_k`` prompts that reach it, so that a stage holds ``n_k`` of them, less those that
    have ended within the segment. A boundary queue holds at most the paper's
    ``n_k + E[(Y - n_k)^2] / (2 (n_k - n_{k-1} p_k))`` on average, ``Y ~ Binomial(n_{k-1}, p_k)``, or ``n_k - 1`` where
    ``n_k >= n_{k-1}``. The backlog at the first entry is WAIT's, ``E[(X - n_1)^2] / (2 (n_1 - E[X]))`` with X Poisson.
    """
    n = segments.thresholds
    total = _interior(segments, occupancy) + _backlog(n[0], expected, expected)
    for (before, after), p in zip(pairwise(n), segments.survival, strict=True):
        total += after - 1 if after >= before else after + _backlog(after, before * p, before * p * (1 - p))
    return total


def _interior(segments: NestedSegments, occupancy: tuple[float, ...]) -> float:
    return sum(
        n * stages * share for n, stages, share in zip(segments.thresholds, segments.stages, occupancy, strict=True)
    )


def _backlog(threshold: int, mean: float, variance: float) -> float:
    drift = threshold - mean
    return (variance + drift * drift) / (2 * drift)


def _candidates(
    empty: NestedSegments, slack: float, arrivals: Arrivals, hardware: Hardware
) -> Iterator[tuple[NestedSegments, float]]:
    """Thresholds with drift at the first entry, growing up to the edge of the memory; and arrivals in their cycle."""
    entering = 1
    while True:
        thresholds = [entering]
        for p in empty.survival:
            before = thresholds[-1]
            least = math.floor(before * p + 1e-9) + 1
            thresholds.append(max(least, math.ceil(before * (p + slack * (1 - p)) - 1e-9)))
        segments = replace(empty, thresholds=tuple(thresholds))
        if segments.memory_tokens > hardware.kv_capacity_tokens or segments.seats > hardware.max_num_seqs:
            return
        expected = arrivals(segments.cycle_s(hardware.service))
        if expected < entering:
            yield segments, expected
            entering = max(entering + 1, math.ceil(1.05 * entering))
        else:  # a longer cycle takes in no fewer
            entering = math.floor(expected) + 1
