"""Energy of a stream: integrals that also count what a power law charges for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from orsched.engine.integrals import Integrals
from orsched.service import PiecewiseLinear, PowerLaw


@dataclass(slots=True)
class MeteredIntegrals(Integrals):
    """`Integrals` of a stream whose hardware has a power law.

    Energy is linear in the work except where the power limit binds. The work is counted in whole numbers and charged
    at the end; what the limit cuts off is summed as it happens. In a decode epoch both the time and the joules of the
    iterations are arithmetic progressions on each piece of the decode curve, so that the sum is closed. Whether the
    limit can bind at all is settled once for each number of decodes.

    Attributes
    ----------
    law : PowerLaw
        What is charged.
    prompt_tokens, decodes, kv_read : int
        Prompt tokens processed (``sum P``, recomputed ones too), decoding requests (``sum B``) and KV tokens they read
        (``sum K``), over the iterations.
    cut_j : float
        Joules that the power limit cut off.
    """

    law: PowerLaw = field(kw_only=True)
    prompt_tokens: int = 0
    decodes: int = 0
    kv_read: int = 0
    cut_j: float = 0.0
    _room_w: float = field(init=False)
    _unlimited: dict[int, bool] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._room_w = self.law.most_w - self.law.idle_w - self.law.active_w

    def iteration(
        self, duration_s: float, requests: int, resident: int, prompt_tokens: int, seqs: int, kv_read: int
    ) -> None:
        """One iteration of `requests` requests: `seqs` decodes that read `kv_read` tokens, and `prompt_tokens`."""
        Integrals.iteration(self, duration_s, requests, resident, prompt_tokens, seqs, kv_read)
        self.prompt_tokens += prompt_tokens
        self.decodes += seqs
        self.kv_read += kv_read
        law = self.law
        work_j = law.iteration_j + law.prompt_token_j * prompt_tokens + law.sequence_j * seqs + law.kv_token_j * kv_read
        excess_j = work_j - self._room_w * duration_s
        if excess_j > 0:
            self.cut_j += excess_j

    def decode(self, curve: PiecewiseLinear, kv: float, seqs: int, steps: int, resident: int, kv_read: int) -> None:
        """`steps` decode iterations of `seqs` requests; the first reads `kv_read` tokens and lasts ``curve(kv)``."""
        Integrals.decode(self, curve, kv, seqs, steps, resident, kv_read)
        self.decodes += steps * seqs
        self.kv_read += steps * kv_read + seqs * (steps * (steps - 1) // 2)
        unlimited = self._unlimited.get(seqs)
        if unlimited is None:
            unlimited = self._unlimited[seqs] = self._never_limited(curve, seqs)
        if not unlimited:
            self.cut_j += self._cut_j(curve, kv, seqs, steps, kv_read)

    def _cut_j(self, curve: PiecewiseLinear, kv: float, seqs: int, steps: int, kv_read: int) -> float:
        """Joules that the power limit cuts off `steps` decode iterations."""
        law = self.law
        work_j = law.iteration_j + law.sequence_j * seqs + law.kv_token_j * kv_read
        growth_j = law.kv_token_j * seqs
        total_j, done = 0.0, 0
        while done < steps:
            run, value, slope = curve.run_from(kv + done * seqs, seqs, steps - done)
            first = work_j + growth_j * done - self._room_w * value
            total_j += positive_sum(first, growth_j - self._room_w * slope, run)
            done += run
        return total_j

    def _never_limited(self, curve: PiecewiseLinear, seqs: int) -> bool:
        """Whether no decode iteration of `seqs` requests reaches the power limit, whatever KV tokens it reads.

        The room left by the limit minus the work is linear on each piece of the curve: it is non-negative everywhere if
        so at the start, on both sides of each break, and in its last slope. Unequal contexts only add time.
        """
        room_w, kv_j = self._room_w, self.law.kv_token_j
        work_j = self.law.iteration_j + self.law.sequence_j * seqs
        starts, ends = (0.0, *curve.breaks), curve.breaks
        pieces = list(zip(curve.intercepts, curve.slopes, strict=True))
        edges = [(piece, x) for piece, x in zip(pieces, starts, strict=True)]
        edges += [(piece, x) for piece, x in zip(pieces, ends, strict=False)]
        room = all(room_w * (at + slope * x) >= work_j + kv_j * x for (at, slope), x in edges)
        return room and room_w * curve.slopes[-1] >= kv_j

    def energy_j(self, span_s: float) -> float | None:
        """Energy over `span_s` seconds that contain all iterations, idle time included; joules."""
        law = self.law
        return (
            law.idle_w * span_s
            + law.active_w * self.busy_s
            + law.iteration_j * self.iterations
            + law.prompt_token_j * self.prompt_tokens
            + law.sequence_j * self.decodes
            + law.kv_token_j * self.kv_read
            - self.cut_j
        )


def integrals_for(service: object) -> Integrals:
    """Integrals for a stream of hardware with this service model: metered when the model states a power law.

    A model states it in an attribute `power`; without one, energy is unknown.
    """
    law = getattr(service, "power", None)
    return MeteredIntegrals(law=law) if isinstance(law, PowerLaw) else Integrals()


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
