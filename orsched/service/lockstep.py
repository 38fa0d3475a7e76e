"""Data-parallel replicas that iterate together, seen as one instance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.checks import check_has, check_whole
from orsched.errors import InputError
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

    ``T(P, A, past, B, K, M) = service.iteration_s(P / m, A / m, past / m, B / ranks, K / ranks, M)``: decodes and their
    context are spread evenly, prompt chunks over ``m = min(ranks, max(1, P^2 / (2 A)))`` ranks, and everybody waits for
    those. ``P^2 / (2 A)`` is the number of chunks when they are equal and have no past, and 1 or less for a single
    chunk: a chunk is on one rank, as many chunks as ranks are on all of them. (Ours.)

    It leaves out: ranks of unequal load, and the memory and seats of each rank: the group's are the sums, as if a
    request could use any.

    Parameters
    ----------
    service : ServiceModel
        One rank of the group, with what it waits for (collectives, its share of the experts). Without a power law.
    ranks : int
        Replicas in the group.
    power : PowerLaw, optional
        What the whole group draws.

    Raises
    ------
    InputError
        When `ranks` is no whole number >= 1, or `service` has a power law: one rank's is not the group's.
    """

    service: ServiceModel
    ranks: int
    power: PowerLaw | None = None

    def __post_init__(self) -> None:
        check_has(self, "service", "a service model", "iteration_s", "decode_curve", "affine_minorants", "at")
        check_whole(self, "ranks", most=MOST_RANKS)
        if self.service.power_w(Batch()) is not None:
            raise InputError("Lockstep.service has a power law: give the power of the whole group to Lockstep instead")

    def iteration_s(self, batch: Batch) -> float:
        """Duration of one iteration of the group, seconds."""
        prompt, attention, past, seqs, kv, longest = batch
        ranks = self.ranks
        if prompt:
            busy = min(float(ranks), max(1.0, prompt * prompt / (2.0 * attention))) if attention > 0 else ranks
            prompt, attention, past = prompt / busy, attention / busy, past / busy
        return self.service.iteration_s(Batch(prompt, attention, past, seqs / ranks, kv / ranks, longest))

    def decode_curve(self, num_seqs: float) -> PiecewiseLinear:
        """Decode-only iteration time against KV tokens read by the whole group."""
        curve = self.service.decode_curve(num_seqs / self.ranks)
        return PiecewiseLinear(
            curve.intercepts,
            [slope / self.ranks for slope in curve.slopes],
            [at * self.ranks for at in curve.breaks],
        )

    def kv_skew(self, num_seqs: float) -> float:
        """Effect of unequal contexts: that of a rank, since ``(B / r) M - K / r = (B M - K) / r``."""
        return self.service.kv_skew(num_seqs / self.ranks)

    def affine_minorants(self) -> tuple[Minorant, ...]:
        """Those of a rank, with every coefficient but the base divided by `ranks`.

        A minorant of `service` holds at ``(P / m, A / m, B / ranks, K / ranks)``, the group's iteration time,
        and ``m <= ranks``: in terms of the group's batch it is at least the one with its coefficients, none of them
        negative, divided by `ranks`. This needs minorants that hold for fractions of a request; those of all forms in
        this package do.
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
        return None if self.power is None else self.power.power_w(batch, self.iteration_s(batch))
