"""What one server sustains within a limit on its iterations: the largest batch that keeps limit and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from fluid.demand import ClassRate, Rates
from orsched.catalogue import Hardware
from orsched.service import Batch
from orsched.work import Floats

Role = Literal["prefill", "decode", "mixed"]
"""What a server does: prompts only, decodes only, or both."""

_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class ServerRate:
    """Steady operation of one server at its best batch, in the fluid model.

    Parameters
    ----------
    rate_per_s : float
        Requests per second; 0 when not even an almost empty iteration keeps the limit, infinite when a request
        asks nothing of this role (no decodes).
    iteration_s : float
        Duration of every iteration, by the service model itself for decodes of equal contexts.
    requests_per_iteration : float
        Requests that complete (or prompts that finish) per iteration.
    num_seqs : float
        Decoding requests in the batch.
    resident_tokens : float
        KV tokens held, whole blocks allowed for.
    binding : str
        What stops a larger batch: ``"limit"``, ``"memory"``, ``"seats"``, ``"budget"``; ``"compute"`` when a larger
        one would be slower per request; ``"none"`` for an infinite rate.
    """

    rate_per_s: float
    iteration_s: float
    requests_per_iteration: float
    num_seqs: float
    resident_tokens: float
    binding: str


@dataclass(frozen=True, slots=True)
class _PerRequest:
    """Mean contents of an iteration per request that completes in it."""

    prompt: float
    attention: float
    seqs: float
    reads: float
    held: float
    seats: float

    @classmethod
    def of(cls, mix: Sequence[ClassRate], role: Role, block: int) -> _PerRequest:
        rates = Rates.of(mix)
        share, work = rates.rate_per_s / rates.total_per_s, rates.work

        def mean(values: Floats) -> float:
            return float(share @ values)

        prompts = role != "decode"
        decodes = role != "prefill"
        lengths = work.prompt_tokens.astype(float)
        seats = prompts * 1.0 + decodes * mean(work.decode_iterations.astype(float))
        held = prompts * mean(lengths) + decodes * mean(work.kv_volume - lengths)
        return cls(
            prompt=prompts * mean(lengths),
            attention=prompts * mean(work.chunk_attention),
            seqs=decodes * mean(work.decode_iterations.astype(float)),
            reads=decodes * mean(work.kv_reads),
            held=held + (block - 1) * seats,
            seats=seats,
        )

    def batch(self, s: float) -> Batch:
        return Batch(s * self.prompt, s * self.attention, 0.0, s * self.seqs, s * self.reads)


def server_rate(
    hardware: Hardware,
    mix: Sequence[ClassRate],
    limit_s: float,
    role: Role = "mixed",
    *,
    token_budget: int | None = None,
) -> ServerRate:
    """Largest rate of a mix of requests that one server sustains with every iteration within `limit_s`.

    In steady operation each iteration contains s requests' worth of every stage, lasts ``T(s)`` and
    completes s requests: the rate is ``s / T(s)``. Allowed are ``T(s) <= limit``, ``s held <= C``, ``s seats <=
    B_max`` and ``s prompt <= budget``. For a maximum of affine functions, ``T(s) = max_m (alpha_m + w_m s)``, all is
    closed: the largest s is

        min( C / held, B_max / seats, budget / prompt, min over m of (limit - alpha_m) / w_m ),

    and between the kinks of T the rate is monotone in s, so the best s is that one or a kink below it. The service
    model itself, which may charge more (mixed batches, re-read chunks are free here), has the last word:
    if it exceeds the limit, s is bisected down. Means, not whole requests; prompts are cut freely into chunks and
    spread evenly. A block of KV is counted as full for every resident.

    Parameters
    ----------
    hardware : Hardware
        The server.
    mix : sequence of ClassRate
        Lengths and their shares; the rates matter only relative to each other.
    limit_s : float
        Longest iteration: the TPOT limit for servers that decode, the TTFT limit for prefill. May be infinite.
    role : {"prefill", "decode", "mixed"}
        What the server does with a request.
    token_budget : int, optional
        Most prompt tokens per iteration.

    Examples
    --------
    >>> from orsched.service import Affine
    >>> gpu = Hardware("gpu", Affine(0.01, 0.0, 1e-3, 0.0), kv_capacity_tokens=10**6, max_num_seqs=256)
    >>> decode = server_rate(gpu, [ClassRate(1.0, 100, 11)], 0.05, "decode")
    >>> round(decode.num_seqs, 6), round(decode.rate_per_s, 6), decode.binding
    (40.0, 80.0, 'limit')
    """
    each = _PerRequest.of(mix, role, hardware.block_tokens)
    lines = [
        (
            m.base_s,
            m.prompt_token_s * each.prompt
            + m.chunk_attention_s * each.attention
            + m.sequence_s * each.seqs
            + m.kv_token_s * each.reads,
        )
        for m in hardware.service.affine_minorants()
    ]
    room = hardware.kv_capacity_tokens // hardware.block_tokens * hardware.block_tokens
    caps = {
        "memory": room / each.held if each.held else math.inf,
        "seats": hardware.max_num_seqs / each.seats if each.seats else math.inf,
        "budget": token_budget / each.prompt if token_budget and each.prompt else math.inf,
        "limit": min(_until(base, slope, limit_s) for base, slope in lines),
    }
    binding = min(caps, key=lambda name: caps[name])
    most = caps[binding]
    if not 0 < most < math.inf:
        return ServerRate(most, hardware.service.iteration_s(Batch()), 0.0, 0.0, 0.0, "limit" if most == 0 else "none")

    def time(s: float) -> float:
        return hardware.service.iteration_s(each.batch(s))

    if time(most) > limit_s * (1 + 1e-12):
        most, binding = _shrunk(time, most, limit_s), "limit"
    kinks = [k for a, b in combinations(lines, 2) for k in _crossing(a, b) if k < most]
    best = max([most, *kinks], key=lambda s: s / time(s) if s else 0.0)
    return ServerRate(
        rate_per_s=best / time(best) if best else 0.0,
        iteration_s=time(best),
        requests_per_iteration=best,
        num_seqs=best * each.seqs,
        resident_tokens=best * each.held,
        binding=binding if best == most else "compute",
    )


def _until(base: float, slope: float, limit_s: float) -> float:
    """Largest s with ``base + slope s <= limit``; 0 when there is none."""
    room = limit_s - base
    if room <= 0:
        return 0.0
    return room / slope if slope > 0 else math.inf


def _crossing(first: tuple[float, float], second: tuple[float, float]) -> list[float]:
    """Positive s where two lines meet."""
    rise = second[1] - first[1]
    s = (first[0] - second[0]) / rise if rise else 0.0
    return [s] if s > 0 and np.isfinite(s) else []


def _shrunk(time: Callable[[float], float], most: float, limit_s: float) -> float:
    """Largest s below `most` with ``time(s) <= limit``, for a time that does not fall with s; 0 when none is."""
    low, high = 0.0, most
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if time(middle) <= limit_s:
            low = middle
        else:
            high = middle
    return low
