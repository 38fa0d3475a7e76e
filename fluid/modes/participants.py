"""What takes part in an iteration, and how much of it a demand asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fluid.demand import Rates
from orsched.service import Batch
from orsched.work import Floats

PREFILL_NODES = 3
DECODE_NODES = 6
ATTENTION = "prompt attention"
"""Product: attention within prompts, tokens squared."""
_CANCELLED = 1e-12


@dataclass(frozen=True, slots=True)
class Participant:
    """One request's part in one iteration, or one unit of side work.

    Side work counts as present like a request does; a bound on the number in system is for serving alone.

    Parameters
    ----------
    batch : Batch
        What it adds to the iteration.
    resident_tokens : float
        KV it holds at the end of the iteration, at least.
    produces : mapping of str to float
        Amount of each product per participation.
    seats : int
        Seats of the batch it takes, 0 or 1; with 0 it is not counted as present either.
    """

    batch: Batch
    resident_tokens: float
    produces: Mapping[str, float]
    seats: int = 1

    @property
    def decodes(self) -> bool:
        """Whether a request waits for its next token in this iteration."""
        return self.batch.num_seqs > 0


def serving_participants(
    rates: Rates, *, prefill_nodes: int = PREFILL_NODES, decode_nodes: int = DECODE_NODES
) -> tuple[tuple[Participant, ...], dict[str, float]]:
    """Write what a demand asks for as participations at a few lengths, and their rates per second.

    A request of prompt l and output o takes part in one prefill and in ``o - 1`` decodes, which read l, l +
    1, ... tokens. What a decode adds to B, K and the resident KV is affine in the tokens n it reads, so a
    decode between two nodes *is* the mixture of decodes at the nodes with the same mean, to every quantity
    that matters here; the same holds for P and resident KV of a prefill. So nodes lose nothing of a
    policy's iterations: each is a mixture of node participations. What fewer nodes do lose is the
    distinction between long and short: the programme may serve the mixture apart.

    Attention within the prompt, ``A``, is not affine in l, and may be spread unevenly over chunks. It is a
    product of its own: a chunk of p of the l tokens counts as ``p / l`` of a prefill and has any A
    between 0 and ``p l``, so it is a mixture of early chunks (no A) and late ones (``l`` per token).

    Parameters
    ----------
    rates : Rates
        The demand.
    prefill_nodes, decode_nodes : int
        Most nodes, >= 2 (one suffices if there is one length).

    Returns
    -------
    participants : tuple of Participant
        Early and late prefills, then decodes. Besides the demanded products they make ``prompt_tokens``,
        ``decode_tokens`` and ``kv_reads``.
    demand : dict of str to float
        Rate per second of each product, for the whole fleet.
    """
    work = rates.work
    prompts, reads = serving_nodes(rates, prefill_nodes=prefill_nodes, decode_nodes=decode_nodes)
    arriving = _shared(work.prompt_tokens.astype(float), rates.rate_per_s, prompts)
    demand = {ATTENTION: float(rates.rate_per_s @ work.chunk_attention)}
    demand |= {prefill_of(n): rate for n, rate in zip(prompts.tolist(), arriving.tolist(), strict=True)}
    if len(reads):
        shared = _shared(*_decodes(rates), reads)
        demand |= {decode_reading(n): rate for n, rate in zip(reads.tolist(), shared.tolist(), strict=True)}
    return participants_at(prompts, reads), {name: rate for name, rate in demand.items() if rate > 0}


def serving_nodes(rates: Rates, *, prefill_nodes: int, decode_nodes: int) -> tuple[Floats, Floats]:
    """Choose lengths at which prefills, and contexts at which decodes, are told apart; they span all that occur."""
    prompts = _nodes(rates.work.prompt_tokens.astype(float), rates.rate_per_s, prefill_nodes)
    context, decodes = _decodes(rates)
    return prompts, _nodes(context, decodes, decode_nodes) if len(context) else np.zeros(0)


def participants_at(prompts: Floats, reads: Floats, *, prefill_seats: int = 1) -> tuple[Participant, ...]:
    """Early and late prefills of the given lengths, then decodes that read the given numbers of tokens."""
    found: list[Participant] = []
    for length in prompts.tolist():
        for attention in (0.0, length * length):
            made = {prefill_of(length): 1.0, ATTENTION: attention, "prompt_tokens": length}
            batch = Batch(prompt_tokens=length, chunk_attention=attention)
            found.append(Participant(batch, length, made, prefill_seats))
    for tokens in reads.tolist():
        made = {decode_reading(tokens): 1.0, "decode_tokens": 1.0, "kv_reads": tokens}
        found.append(Participant(Batch(num_seqs=1, kv_tokens=tokens), tokens + 1, made))
    return tuple(found)


def prefill_of(tokens: float) -> str:
    """Name the product of prefills at a node."""
    return f"prefill of {tokens:.0f} tokens"


def decode_reading(tokens: float) -> str:
    """Name the product of decodes at a node."""
    return f"decode reading {tokens:.0f} tokens"


def _decodes(rates: Rates) -> tuple[Floats, Floats]:
    """Tokens read by a decode, and decodes per second that read so many."""
    first, steps = rates.work.prompt_tokens, rates.work.decode_iterations
    low = int(first.min())
    starts = np.zeros(int((first + steps).max()) - low + 1)
    np.add.at(starts, first - low, rates.rate_per_s)
    np.subtract.at(starts, first + steps - low, rates.rate_per_s)
    per_s = np.maximum(np.cumsum(starts), 0.0)
    used = np.flatnonzero(per_s > float(rates.rate_per_s.max()) * _CANCELLED)
    return (used + low).astype(float), per_s[used].astype(float)


def _nodes(values: Floats, weights: Floats, most: int) -> Floats:
    """Span the values by the smallest, the largest and weighted quantiles between."""
    order = np.argsort(values, kind="stable")
    ordered, share = values[order], np.cumsum(weights[order])
    places = np.searchsorted(share, np.linspace(0.0, share[-1], most)[1:-1])
    return np.unique(np.concatenate([ordered[:1], ordered[places], ordered[-1:]])).astype(float)


def _shared(values: Floats, weights: Floats, nodes: Floats) -> Floats:
    """Distribute weights over the two nodes next to each value, keeping the mean."""
    if len(nodes) == 1:
        return np.array([weights.sum()])
    right = np.clip(np.searchsorted(nodes, values, side="right"), 1, len(nodes) - 1)
    up = (values - nodes[right - 1]) / (nodes[right] - nodes[right - 1])
    below = np.bincount(right - 1, weights * (1 - up), len(nodes))
    return np.asarray(below + np.bincount(right, weights * up, len(nodes)), dtype=float)
