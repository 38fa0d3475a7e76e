"""Energy of a stream: integrals that also count what a power law charges for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from orsched.engine.integrals import Integrals
from orsched.service import Batch, PiecewiseLinear, PowerLaw

_SPAN = 2.0**20
"""KV tokens over which the joules of one KV token are measured; a power of two, so that dividing is exact."""


@dataclass(slots=True)
class MeteredIntegrals(Integrals):
    """`Integrals` of a stream whose hardware says what its work costs.

    An iteration of ``T`` seconds costs ``min(most_w T, (idle_w + active_w) T + work_j(batch))`` joules. The work is
    summed at once and what the limit cuts off apart. In a decode epoch both the time and the joules of the iterations
    are arithmetic progressions on each piece of the decode curve, so that both sums are closed. Whether the limit can
    bind at all is settled once for each number of decodes.

    Attributes
    ----------
    work_j : callable
        Joules for the work of a batch; affine in the KV tokens that a given number of decodes read.
    idle_w, active_w, most_w : float
        Watts while nothing runs, beyond that while an iteration runs, and at most.
    total_j, cut_j : float
        Joules for the work of all iterations, and those that the power limit cut off.
    """

    work_j: Callable[[Batch], float] = field(kw_only=True)
    idle_w: float = field(kw_only=True)
    active_w: float = field(kw_only=True)
    most_w: float = field(kw_only=True)
    total_j: float = 0.0
    cut_j: float = 0.0
    _room_w: float = field(init=False)
    _decodes: dict[int, tuple[float, float, bool]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._room_w = self.most_w - self.idle_w - self.active_w

    def iteration(self, duration_s: float, requests: int, resident: int, batch: Batch) -> None:
        """One iteration of `requests` requests that worked on `batch`."""
        Integrals.iteration(self, duration_s, requests, resident, batch)
        work_j = self.work_j(batch)
        self.total_j += work_j
        excess_j = work_j - self._room_w * duration_s
        if excess_j > 0:
            self.cut_j += excess_j

    def decode(self, curve: PiecewiseLinear, kv: float, seqs: int, steps: int, resident: int, kv_read: int) -> None:
        """`steps` decode iterations of `seqs` requests; the first reads `kv_read` tokens and lasts ``curve(kv)``."""
        Integrals.decode(self, curve, kv, seqs, steps, resident, kv_read)
        known = self._decodes.get(seqs)
        if known is None:
            known = self._decodes[seqs] = self._decodes_of(curve, seqs)
        base_j, kv_j, unlimited = known
        first_j, growth_j = base_j + kv_j * kv_read, kv_j * seqs
        self.total_j += steps * first_j + growth_j * (steps * (steps - 1) // 2)
        if not unlimited:
            self.cut_j += self._cut_j(curve, kv, seqs, steps, first_j, growth_j)

    def _cut_j(
        self, curve: PiecewiseLinear, kv: float, seqs: int, steps: int, first_j: float, growth_j: float
    ) -> float:
        """Joules that the power limit cuts off decode iterations whose work is ``first_j, first_j + growth_j, ...``."""
        total_j, done = 0.0, 0
        while done < steps:
            run, value, slope = curve.run_from(kv + done * seqs, seqs, steps - done)
            excess_j = first_j + growth_j * done - self._room_w * value
            total_j += positive_sum(excess_j, growth_j - self._room_w * slope, run)
            done += run
        return total_j

    def _decodes_of(self, curve: PiecewiseLinear, seqs: int) -> tuple[float, float, bool]:
        """Joules of an iteration of `seqs` decodes without KV and per KV token; whether the limit never binds.

        The room left by the limit minus the work is linear on each piece of the curve: it is non-negative everywhere if
        so at the start, on both sides of each break, and in its last slope. Unequal contexts only add time.
        """
        work_j = self.work_j(Batch(num_seqs=seqs))
        kv_j = (self.work_j(Batch(num_seqs=seqs, kv_tokens=_SPAN)) - work_j) / _SPAN
        room_w = self._room_w
        starts, ends = (0.0, *curve.breaks), curve.breaks
        pieces = list(zip(curve.intercepts, curve.slopes, strict=True))
        edges = [(piece, x) for piece, x in zip(pieces, starts, strict=True)]
        edges += [(piece, x) for piece, x in zip(pieces, ends, strict=False)]
        room = all(room_w * (at + slope * x) >= work_j + kv_j * x for (at, slope), x in edges)
        return work_j, kv_j, room and room_w * curve.slopes[-1] >= kv_j

    def energy_j(self, span_s: float) -> float | None:
        """Energy over `span_s` seconds that contain all iterations, idle time included; joules."""
        return self.idle_w * span_s + self.active_w * self.busy_s + self.total_j - self.cut_j


def integrals_for(service: object) -> Integrals:
    """Integrals for a stream of hardware with this service model: metered when the model says what its work costs.

    It does so in an attribute `power`: a `PowerLaw`, or watts (``idle_w``, ``most_w``) beside its own ``work_j(batch)``
    as `orsched.service.roofline.Roofline` has them. Without one, energy is unknown.
    """
    law = getattr(service, "power", None)
    if isinstance(law, PowerLaw):
        return MeteredIntegrals(work_j=law.work_j, idle_w=law.idle_w, active_w=law.active_w, most_w=law.most_w)
    work_j = getattr(service, "work_j", None)
    if law is None or work_j is None:
        return Integrals()
    return MeteredIntegrals(work_j=work_j, idle_w=law.idle_w, active_w=0.0, most_w=law.most_w)


def positive_sum(first: float, step: float, count: int) -> float:
    """``sum_{n < count} max(0, first + n step)``, in constant time."""
    last = first + step * (count - 1)
    if first <= 0 and last <= 0:
        return 0.0
    if first >= 0 and last >= 0:
        return 0.5 * count * (first + last)
    largest, fall = (first, -step) if first > 0 else (last, step)
    terms = min(count, math.ceil(largest / fall))
    return terms * (largest - 0.5 * fall * (terms - 1))
