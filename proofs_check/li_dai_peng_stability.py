"""Work-conserving scheduling of a token-level queue (Li, Dai, Peng; arXiv 2504.07347): rate, backlog, point C.

The runs of point C are known to us through the companion in the public repository servingQ/serQ. There a batch starts
when the one before has ended, what arrives at that very instant included, and while anybody decodes
FasterTransformer batches decodes only: one prompt finished is enough to hold up all the others (`separate_phases`).
With this reading 21 requests are completed, as published, and by Sarathi-Serve (`decode_first`) 2,039, not 2,038:
arrivals at the end of a batch that join one batch later would give 2,038. Its backlog at the start of a batch
peaks at 50,780 tokens; the published 51,600 to 51,800 came from none of the readings we tried.

**Backlog at the capacity (ours).** A request of ``v = v_p + v_d`` tokens comes every ``v t_{b_max} / b_max``, b0
divides b_max, work is conserved. In a batch of ``b' < b_max`` tokens every resident has at least one, so the backlog at
its start is at most ``b' v``. Until the end of the k full batches that follow, at most ``v + b_max (1 + k)`` tokens
come, as no batch takes longer than a full one, and ``b' + k b_max`` are served. The backlog is then at most
``b' (v - 1) + v + b_max <= b_max v + 1``. Before the first such batch, and after an idle time, it is at most v.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, partial

import numpy as np

from proofs_check.claim import Claim
from proofs_check.models.token_queue import SCHEDULERS, WORK_CONSERVING, Batch, Ints, batches, staircase
from proofs_check.rules import Always, Exhaustive, Instance, Once

PAPER = "arXiv 2504.07347"
TICKS_PER_S = 100_000
"""Point C counts in 10 us, so that all its numbers are whole."""
POINT_C = {"fixed": 1_128, "per_step": 3_547, "step": 128, "budget": 128, "prefill": 290, "decode": 990, "gap": 46_750}
"""CodeLlama-34B: batches of 11.28 + 35.47 ceil(b / 128) ms and at most 128 tokens, a request every 467.5 ms."""


@cache
def run(scheduler: str, gap: int, seconds: int) -> dict[str, int]:
    """Point C with a request every `gap`, the first after one: what has happened by the horizon."""
    horizon = seconds * TICKS_PER_S
    arrivals = np.arange(gap, horizon + 1, gap)
    time = staircase(POINT_C["fixed"], POINT_C["per_step"], POINT_C["step"])
    prefill, decode = (np.full(len(arrivals), POINT_C[which]) for which in ("prefill", "decode"))
    peak = completed = backlog = 0
    for batch in batches(arrivals, prefill, decode, SCHEDULERS[scheduler], POINT_C["budget"], time):
        if batch.start > horizon:
            break
        backlog = batch.arrived - batch.served
        peak, completed = max(peak, backlog), batch.completed
    return {"arrived": len(arrivals), "completed": completed, "peak_backlog": peak, "last_backlog": backlog}


def point_c(scheduler: str, gap: int = POINT_C["gap"]) -> Callable[[np.random.Generator], Instance]:
    """A sampler of the run of 1000 s, in which nothing is random."""
    return lambda rng: {"scheduler": scheduler, "gap_10us": gap, **run(scheduler, gap, 1000)}


def load_slack(x: Instance) -> float:
    """Half a unit of the fifth decimal, less the largest distance of load, capacity and 2.73797 tokens per ms."""
    load = Fraction(x["prefill"] + x["decode"], x["gap"]) * 100
    capacity = Fraction(x["budget"], x["fixed"] + x["per_step"]) * 100
    return 5e-6 - float(max(abs(load - capacity), abs(load - Fraction("2.73797"))))


def backlog_limit(budget: int, tokens: int) -> int:
    """``(b_max + 1) (v_p + v_d)``."""
    return (budget + 1) * tokens


def our_backlog_limit(budget: int, tokens: int) -> int:
    """``b_max (v_p + v_d) + 1``."""
    return budget * tokens + 1


def random_system(rng: np.random.Generator) -> Instance:
    """Constants with b0 dividing b_max, and a scheduler."""
    step, steps = int(rng.integers(1, 13)), int(rng.integers(1, 5))
    return {
        "fixed": int(rng.integers(0, 40)),
        "per_step": int(rng.integers(1, 40)),
        "step": step,
        "budget": step * steps,
        "prefill": int(rng.integers(1, 40)),
        "decode": int(rng.integers(1, 40)),
        "requests": int(rng.integers(1, 80)),
        "gap": int(rng.integers(1, 60)),
        "scheduler": str(rng.choice(sorted(SCHEDULERS))),
    }


def conserving(rng: np.random.Generator) -> Instance:
    """As `random_system`, with a scheduler that conserves work."""
    return {**random_system(rng), "scheduler": str(rng.choice(sorted(WORK_CONSERVING)))}


def at_capacity(rng: np.random.Generator) -> Instance:
    """As `conserving`, with more requests than twice a batch's tokens."""
    x = conserving(rng)
    return {**x, "requests": 2 * x["budget"] + x["requests"]}


def _queue(x: Instance, arrivals: Ints, ticks: int = 1) -> tuple[Callable[[int], int], Iterator[Batch]]:
    """Batch time in so many ticks per unit of the constants' time, and the batches."""
    time = staircase(x["fixed"] * ticks, x["per_step"] * ticks, x["step"])
    prefill, decode = (np.full(len(arrivals), x[which]) for which in ("prefill", "decode"))
    return time, batches(arrivals, prefill, decode, SCHEDULERS[x["scheduler"]], x["budget"], time)


def rate_slack(x: Instance) -> float:
    """Least ``1 - served t_{b_max} / (b_max now)`` over the ends of batches."""
    time, run_of = _queue(x, np.arange(x["requests"]) * x["gap"])
    ends = ((batch.start + time(batch.tokens), batch.served + batch.tokens) for batch in run_of)
    full = time(x["budget"]) / x["budget"]
    return min(float(1 - served * full / end) for end, served in ends)


def full_slack(x: Instance) -> float:
    """Least ``tokens - min(b_max, demand)`` over the batches."""
    _, run_of = _queue(x, np.arange(x["requests"]) * x["gap"])
    return float(min(batch.tokens - min(x["budget"], batch.demand) for batch in run_of))


def backlog_slack(x: Instance, limit: Callable[[int, int], float]) -> float:
    """``limit(b_max, v_p + v_d)`` less the largest backlog, arrivals exactly at capacity; over the former.

    Time is in ticks of ``1 / b_max``, so that the gap ``(v_p + v_d) t_{b_max} / b_max`` is whole.
    """
    tokens, full = x["prefill"] + x["decode"], staircase(x["fixed"], x["per_step"], x["step"])(x["budget"])
    _, run_of = _queue(x, np.arange(1, x["requests"] + 1) * tokens * full, x["budget"])
    return 1 - max(batch.arrived - batch.served for batch in run_of) / limit(x["budget"], tokens)


def completions_near(published: int, within: int) -> Callable[[Instance], float]:
    """Allowed distance less the distance from the published number of completions."""
    return lambda x: float(within - abs(x["completed"] - published))


def peak_below(limit: int) -> Callable[[Instance], float]:
    """``limit - largest backlog``, tokens."""
    return lambda x: float(limit - x["peak_backlog"])


def most_is_left(x: Instance) -> float:
    """Share of the arrived tokens that is left at the end, less nine tenths."""
    tokens = POINT_C["prefill"] + POINT_C["decode"]
    return float(x["last_backlog"] / (x["arrived"] * tokens) - 0.9)


CLAIMS = (
    Claim(
        "li-token-rate",
        "no scheduler serves more than b_max / t_{b_max} tokens per unit of time",
        f"{PAPER}, capacity theorem, part (a): the pathwise content; t_b = c + a ceil(b/b0), b0 divides b_max",
        random_system,
        rate_slack,
        Always(quick_instances=30),
    ),
    Claim(
        "li-work-conserving",
        "decode-first, prefill-first, oldest-first and newest-first fill every batch that the residents could fill",
        f"{PAPER}, definition of work conservation; Sarathi-Serve is decode-first",
        conserving,
        full_slack,
        Always(quick_instances=30, tolerance=0.0),
    ),
    Claim(
        "li-boundary-backlog",
        "at the capacity, equally spaced arrivals: backlog <= (b_max + 1)(v_p + v_d) if work is conserved",
        f"{PAPER}, capacity theorem, part (b), pathwise (servingQ/serQ for point C; other constants ours)",
        at_capacity,
        partial(backlog_slack, limit=backlog_limit),
        Always(quick_instances=30, tolerance=0.0),
    ),
    Claim(
        "li-boundary-backlog-sharper",
        "at the capacity, equally spaced arrivals: backlog <= b_max (v_p + v_d) + 1 if work is conserved",
        "ours; proof in the module",
        at_capacity,
        partial(backlog_slack, limit=our_backlog_limit),
        Always(quick_instances=30, tolerance=0.0),
    ),
    Claim(
        "li-point-c-load",
        "point C: load = capacity = 2.73797 tokens per ms",
        f"{PAPER}, operating point C of CodeLlama-34B (servingQ/serQ)",
        None,
        load_slack,
        Exhaustive(1),
        cases=lambda: [POINT_C],
    ),
    Claim(
        "li-point-c-sarathi",
        "point C, 1000 s: Sarathi-Serve completes 2,038 of 2,139, to 1 (here 2,039)",
        f"{PAPER}, run of servingQ/serQ",
        point_c("decode-first"),
        completions_near(2_038, within=1),
        Once(1.0),
    ),
    Claim(
        "li-point-c-backlog",
        "point C, 1000 s: Sarathi-Serve's backlog stays below (128 + 1)(290 + 990) = 165,120 tokens",
        f"{PAPER}, run of servingQ/serQ",
        point_c("decode-first"),
        peak_below(backlog_limit(128, 1_280)),
        Once(1.0),
    ),
    Claim(
        "li-point-c-fastertransformer",
        "point C, 1000 s: FasterTransformer completes 21 of 2,139",
        f"{PAPER}, run of servingQ/serQ",
        point_c("separate-phases"),
        completions_near(21, within=0),
        Once(1.0),
    ),
    Claim(
        "li-fastertransformer-diverges",
        "at half of point C's load FasterTransformer leaves more than nine tenths of the tokens of 1000 s unserved",
        f"{PAPER}: it can diverge below capacity; run and number ours",
        point_c("separate-phases", 2 * POINT_C["gap"]),
        most_is_left,
        Once(1.0),
    ),
)
