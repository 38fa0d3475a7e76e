"""Every batch composition of an instance as modes that are enough for a linear programme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fluid.modes.participants import Participant
from fluid.modes.polytope import clip
from fluid.modes.table import ModeTable
from fluid.pathwise.minorants import recompute_proof, reuse_proof
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.service import Minorant
from orsched.work import Floats

SeatRange = tuple[int, int]
"""Least and most requests that take part in an iteration."""


def chunk_minorants(hardware: Hardware, least_prompt: int) -> tuple[Minorant, ...]:
    """Minorants under which each re-prefilled token costs its share of the decode that the re-prefill replaces.

    A chunk of p of the n + 1 - r tokens re-prefilled after r retained ones (`Hardware.keeps_preempted_kv`; r = 0
    without) then costs at least ``p / (n + 1 - r)`` of a decode reading n, and leaves at least that share of n + 1
    tokens resident. Recomputation replaces work (`fluid.pathwise.minorants`); with several minorants at
    once the share that each chunk replaces has to be the same under all of them, so attention within the
    prompt is not counted on in the proof. Without retention nearly every catalogue entry passes unchanged.
    """
    lower = reuse_proof if hardware.keeps_preempted_kv else recompute_proof
    minorants = hardware.service.affine_minorants()
    bare = (lower(replace(m, chunk_attention_s=0.0), least_prompt) for m in minorants)
    return tuple(replace(b, chunk_attention_s=m.chunk_attention_s) for b, m in zip(bare, minorants, strict=True))


def batch_modes(
    hardware: Hardware,
    participants: Sequence[Participant],
    seats: SeatRange,
    *,
    least_prompt: int,
    iteration_limit_s: float | None = None,
    chip: str | None = None,
    power_w: float | None = None,
    cost_per_h: float | None = None,
    minorants: Sequence[Minorant] | None = None,
) -> ModeTable:
    """Modes whose mixtures dominate every iteration of every policy on one instance.

    *Iterations.* In an iteration with b participants of any policy, let ``m_k`` be the participations of kind k,
    where a chunk of p of l prompt tokens counts as ``p / l`` of a prefill, and a chunk of a re-prefill of n
    + 1 - r tokens (after r retained ones) as ``p / (n + 1 - r)`` of the decode reading n that it replaces. Then
    ``m >= 0``, ``sum m <= b``; the resident KV, at most C, is at least ``sum_k r_k m_k`` (a chunk of p tokens
    leaves at least p resident, a decode reading n leaves n + 1); and for each minorant i (`chunk_minorants`)

        T >= t_i(m) = alpha_i + sum_k w_ik m_k.

    Over a request's life the participations add up to one prefill and ``o - 1`` decodes of the right lengths.

    *Vertices.* For b in a range ``[low, high]``, all such m lie in the polytope ``sum m <= high, r m <= C, m >= 0``,
    where only participants that take a seat are summed up.
    It is divided into one polytope for each minorant, where that one is the largest; there ``max t_i`` is
    affine, so every iteration is a convex combination of vertices in products, and takes at least the same
    combination of their times. A mode is a vertex, with that time, and with `low` requests present. So the
    time shares of these modes make everything a policy makes, in no more time, with no more requests
    present (those not in a batch are only more): the mode LP over them bounds every policy. With
    ``low = high`` it is exact for the minorants; a wider range is outward.

    *Limits on an iteration.* With `iteration_limit_s`, only iterations with ``T <= limit`` (all ``t_i <= limit``) are
    kept where a request that has its first token takes part, because they lie within one of its token
    gaps; a re-prefill counts as the decode it replaces. Iterations of first prefills alone stay.

    Parameters
    ----------
    hardware : Hardware
        Service model, KV capacity and seats. Another operating point is another `hardware`.
    participants : sequence of Participant
        Kinds of participation, side work included.
    seats : (int, int)
        Least and most participants. Tables of ranges that cover 1 .. max_num_seqs, joined, cover every
        iteration; for objectives other than the number present one range is exact.
    least_prompt : int
        Shortest prompt, tokens.
    iteration_limit_s : float, optional
        Hard limit on the time between two tokens of a request, seconds.
    chip, power_w, cost_per_h : str, float, float, optional
        What is written into the modes; the kind defaults to the hardware's name.
    minorants : sequence of Minorant, optional
        Instead of `chunk_minorants` of the service model: any under which recomputation replaces work.

    Raises
    ------
    InputError
        When no minorant has a positive base.
    """
    minorants = minorants or chunk_minorants(hardware, least_prompt)
    if max(m.base_s for m in minorants) <= 0:
        raise InputError(f"{hardware.name}: no affine minorant with a positive base, an iteration could take no time")
    low, high = seats
    kinds = [p for p in participants if p.seats <= high]
    cells = [(kinds, points) for points in _vertices(hardware, minorants, kinds, high, iteration_limit_s)]
    if iteration_limit_s is not None:
        alone = [p for p in kinds if not p.decodes]
        cells += [(alone, points) for points in _vertices(hardware, minorants, alone, high, None)]
    names = list(dict.fromkeys(name for p in kinds for name in p.produces))
    times, made, held = [], [], []
    for group, points in cells:
        amounts = points
        time = np.max([m.base_s + amounts @ _works(m, group) for m in minorants], axis=0)
        table = np.array([[p.produces.get(name, 0.0) for name in names] for p in group]).reshape(len(group), len(names))
        times.append(time)
        made.append(amounts @ table / time[:, None])
        held.append(amounts @ np.array([p.resident_tokens for p in group]))
    products, count = np.concatenate(made), sum(map(len, times))
    given = {"present": low, "power_w": power_w, "cost_per_h": cost_per_h}
    quantities = {name: np.full(count, float(value)) for name, value in given.items() if value is not None}
    kind = chip or hardware.name
    return ModeTable(
        labels=[f"{kind}, {low}..{high} seats, composition {j}" for j in range(count)],
        chips=(kind,),
        chip=np.zeros(count, dtype=np.int64),
        iteration_s=np.concatenate(times),
        products={name: products[:, j] for j, name in enumerate(names)},
        quantities={**quantities, "resident_tokens": np.concatenate(held)},
    )


def _vertices(
    hardware: Hardware,
    minorants: Sequence[Minorant],
    kinds: Sequence[Participant],
    high: int,
    limit_s: float | None,
) -> Iterator[Floats]:
    """Participations by kind at the vertices, one array for each minorant's part; see `batch_modes`."""
    seats, resident = np.array([p.seats for p in kinds]), np.array([p.resident_tokens for p in kinds])
    room = resident / hardware.kv_capacity_tokens
    if seats.all():
        # The seats alone bound the polytope.
        most, limits = high / seats, [room]
    else:
        share = seats / max(high, 1)
        most, limits = 2 / (share + room), [share, room] if high else [room]
    corners = np.eye(len(kinds) + 1)
    cuts = [np.append(most * limit, 0.0) - 1.0 for limit in limits]
    times = [m.base_s + np.append(most * _works(m, kinds), 0.0) for m in minorants]
    if limit_s is not None:
        cuts += [time - limit_s for time in times]
    for largest in times:
        points = corners
        for before, cut in enumerate((*cuts, *(time - largest for time in times if time is not largest))):
            points = clip(points, points @ cut, before)
        yield points[points[:, -1] < 1][:, :-1] * most


def _works(minorant: Minorant, kinds: Sequence[Participant]) -> Floats:
    """Iteration time that one participation of each kind adds, seconds."""
    return np.array(
        [
            minorant.prompt_token_s * p.batch.prompt_tokens
            + minorant.sequence_s * p.batch.num_seqs
            + minorant.kv_token_s * p.batch.kv_tokens
            + minorant.chunk_attention_s * p.batch.chunk_attention
            for p in kinds
        ]
    )
