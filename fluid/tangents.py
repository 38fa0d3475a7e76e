"""Prices under which no iteration pays: what the congestion bound is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.service import Minorant
from orsched.work import Floats
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Tangent:
    """A supporting line of "presence against progress".

    An iteration of length T with b participants satisfies

        b T  >=  sum over its participants of (c_1 + e s_i + (1 + c_0) q_i)  -  c_0 T,

    where ``s_i`` is a participant's marginal work clipped to ``[low, high]`` and ``q_i`` the rest of it.

    Parameters
    ----------
    time : float
        ``c_0 >= 0``: price of a second of an instance, in request-seconds.
    work : float
        ``e >= 1 + c_0``: price of a second of clipped work.
    participation : float
        ``c_1 >= 0``: price of taking part in an iteration, seconds.
    """

    time: float
    work: float
    participation: float

    @property
    def prices(self) -> Floats:
        """Prices of the three amounts of `Progress`: participations, clipped work, rest."""
        return np.array([self.participation, self.work, 1.0 + self.time])


def tangent(minorant: Minorant, low: float, high: float, most: int, crowd: float, time: float) -> Tangent | None:
    """Price the tangent at a batch of `crowd` requests for a given price of time.

    With ``T >= alpha + S + Q``, ``S = sum s_i`` in ``[b low, b high]``, ``Q = sum q_i >= 0``, ``1 <= b <=
    most``:

        (b + c_0) T >= (b + c_0) (alpha + S) + (1 + c_0) Q
                     = (b + c_0) alpha + (b + c_0 - e) S + e S + (1 + c_0) Q
                    >= c_1 b + e S + (1 + c_0) Q,
        c_1 = min over b of (b + c_0) alpha / b + (b + c_0 - e) (low if b + c_0 >= e else high).

    With ``e = c_0 + crowd`` the middle term vanishes at ``b = crowd``: there nothing is lost, whatever S is.

    Parameters
    ----------
    minorant : Minorant
        Sound, ``alpha = base_s >= 0``.
    low, high : float
        Limits of the clipped work of one participant in one iteration, seconds.
    most : int
        Most participants.
    crowd : float
        Batch size at which the tangent touches, >= 1.
    time : float
        ``c_0``.

    Returns
    -------
    Tangent or None
        None when c_1 would be negative: then wasted participations could not be left out.
    """
    batch = np.arange(1.0, most + 1.0)
    slack = batch - crowd
    price = (batch + time) * minorant.base_s / batch + slack * np.where(slack >= 0, low, high)
    participation = float(price.min())
    return None if participation < 0 else Tangent(time, time + crowd, participation)


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """What each request has to get done, under one minorant.

    *Credits.* Every token of a request is emitted once. Credit its emission with one participation and an
    amount ``s`` of clipped work: for a decode its own work ``gamma + delta n``, for the prefill `low`; and
    credit the prefill with the rest ``q`` of its work over all its chunks. These credits never exceed what
    tangents count:

    - An iteration in which the request emits nothing (a chunk before the last) has non-negative prices, and
    at least
      ``1 + c_0 <= e`` on all its work.
    - A token can also be emitted by a re-prefill after a preemption. Its chunks' work adds up to at least the
      decode's (`fluid.minorants.recompute_proof`). If one of them is above `high`, that iteration alone
      counts as much as the decode. If not, nothing is clipped: divide the credit (participation and s)
      among the chunks in proportion to their work; each gets at most one participation, which it has.
    - All else (work lost to preemptions) is left out; its prices are not negative.

    Parameters
    ----------
    minorant : Minorant
        Sound, with a base > 0.
    low, high : float
        ``low = min(gamma + delta l_min, beta)``: no participant has less work; ``high``: no decode has more.
    amounts : ndarray of float64, shape (3, n)
        Participations ``o``, clipped work, and the rest of the prefill's work, of each request.
    """

    minorant: Minorant
    low: float
    high: float
    amounts: Floats

    @classmethod
    def of(cls, workload: Workload, minorant: Minorant) -> Progress:
        """Tabulate what the requests of `workload` have to get done."""
        work = workload.work
        per_chunk, per_token = minorant.chunk_attention_s, minorant.kv_token_s
        shortest = int(workload.input_tokens.min())
        longest = int(np.max(workload.input_tokens + workload.output_tokens))
        low = min(minorant.sequence_s + per_token * shortest, minorant.prompt_token_s)
        high = max(low, minorant.sequence_s + per_token * longest)
        prefill = minorant.prompt_token_s * work.prompt_tokens + per_chunk * work.chunk_attention
        decode = minorant.sequence_s * work.decode_iterations + per_token * work.kv_reads
        rest = np.maximum(prefill - low, 0.0)
        return cls(minorant, low, high, np.stack([work.iterations.astype(float), decode + low, rest]))

    @property
    def totals(self) -> Floats:
        """Sums of the amounts over all requests, shape ``(3,)``."""
        sums: Floats = self.amounts.sum(axis=1)
        return sums

    def value(self, price: Tangent) -> float:
        """Price of everything there is to do, request-seconds."""
        return float(price.prices @ self.totals)
