"""Data-parallel replicas that iterate together, seen as one instance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from orsched.checks import check_has, check_whole
from orsched.service.minorant import Minorant
from orsched.service.model import Batch, ServiceModel
from orsched.service.piecewise import PiecewiseLinear
from orsched.service.point import FULL, OperatingPoint
from orsched.service.power import PowerLaw

MOST_RANKS = 4096
"""Most replicas in a group."""


@dataclass(frozen=True, slots=True)
class Lockstep:
    """`ranks` replicas whose iterations start and end together (data parallel attention, expert parallel layers).

    ``T(P, A, past, B, K, M) = service.iteration_s(P / m, A / m, past / m, b, K b / B, M)``: decodes and their context
    are spread evenly, ``b = max(1, B / ranks)`` on the fullest rank, prompt chunks over
    ``m = min(ranks, max(1, P^2 / (2 A)))`` ranks, and everybody waits for those. ``P^2 / (2 A)`` is the number of
    chunks when they are equal and have no past, and 1 or less for a single chunk: a chunk is on one rank, as many
    chunks as ranks are on all of them. (Ours.)

    It leaves out: ranks of unequal load, and the memory and seats of each rank: the group's are the sums, as if a
    request could use any.

    Parameters
    ----------
    service : ServiceModel
        One rank of the group, with what it waits for (collectives, its share of the experts).
    ranks : int
        Replicas in the group.
    power : PowerLaw, optional
        What the whole group draws; None: `ranks` times what `service` says of the fullest rank.

    Raises
    ------
    InputError
        When `ranks` is no whole number >= 1.
    """

    service: ServiceModel
    ranks: int
    power: PowerLaw | None = None

    def __post_init__(self) -> None:
        check_has(self, "service", "a service model", "iteration_s", "decode_curve", "affine_minorants", "at")
        check_whole(self, "ranks", most=MOST_RANKS)

    def _fullest(self, batch: Batch) -> Batch:
        """Return what the fullest rank works on."""
        prompt, attention, past, seqs, kv, longest = batch
        if prompt:
            chunks = prompt * prompt / (2.0 * attention) if attention > 0 else math.inf
            busy = min(self.ranks, max(1.0, chunks))
            prompt, attention, past = prompt / busy, attention / busy, past / busy
        share = self._share(seqs)
        return Batch(prompt, attention, past, seqs * share, kv * share, longest)

    def _share(self, num_seqs: float) -> float:
        """Share of the decodes on the fullest rank: one at least, if there is any."""
        return 1.0 / min(num_seqs, self.ranks) if num_seqs > 0 else 1.0 / self.ranks

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration of the group, seconds."""
        return self.service.iteration_s(self._fullest(batch))

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read by the whole group."""
        share = self._share(num_seqs)
        curve = self.service.decode_curve(num_seqs * share)
        return PiecewiseLinear(
            curve.intercepts,
            [slope * share for slope in curve.slopes],
            [at / share for at in curve.breaks],
        )

    def kv_skew(self, num_seqs: float) -> float:
        """Effect of unequal contexts: that of the fullest rank, whose ``b M - K b / B`` is ``(B M - K) b / B``."""
        return self.service.kv_skew(num_seqs * self._share(num_seqs))

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Those of a rank, with every coefficient but the base divided by `ranks`.

        A minorant of `service` holds for its fullest rank, which has at least one request in it and whose time is the
        group's; each of ``P / m, A / m, b, K b / B`` is at least ``1 / ranks`` of the group's, because ``m <= ranks``
        and ``b / B >= 1 / ranks``; and no coefficient is negative.
        """
        share = 1.0 / self.ranks
        return tuple(
            Minorant(
                m.base_s,
                share * m.prompt_token_s,
                share * m.sequence_s,
                share * m.kv_token_s,
                share * m.chunk_attention_s,
            )
            for m in self.service.affine_minorants()
        )

    def at(self, point: OperatingPoint) -> Lockstep:
        """Return the group with every rank at another operating point."""
        if point == FULL:
            return self
        return replace(self, service=self.service.at(point), power=self.power and self.power.at(point))

    def power_w(self, batch: Batch) -> float | None:
        """Mean power of the group over the iteration in watts; None without a power law."""
        if self.power is not None:
            return self.power.power_w(batch, self.iteration_s(batch))
        rank = self.service.power_w(self._fullest(batch))
        return None if rank is None else self.ranks * rank
