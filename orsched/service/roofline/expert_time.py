"""Time of mixture-of-experts layers: concave in the tokens, because tokens share the experts they hit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orsched.service.roofline.engine import SharedMemory
from orsched.service.roofline.pieces import Pieces, upper_envelope
from orsched.service.roofline.work import ExpertWork


@dataclass(frozen=True, slots=True)
class ExpertTime:
    """Time of all expert layers against tokens ``T``.

    ``n max(dispatch_s, compute_s T, read_s E (1 - (1 - k/E)^T) + shared_s + move_s T)``: under uniform independent
    routing a token misses an expert with probability ``1 - k/E``, so that T tokens hit that many distinct experts in
    the mean. Real routing is skewed and hits fewer.

    Parameters
    ----------
    count, experts, active : int
        Layers ``n``, routed experts ``E`` and experts of a token ``k``.
    dispatch_s : float
        Least time of a layer.
    compute_s, move_s : float
        Seconds per token of arithmetic, and of moving activations.
    read_s, shared_s : float
        Seconds to read one routed expert, and all shared ones.
    """

    count: int
    experts: int
    active: int
    dispatch_s: float
    compute_s: float
    move_s: float
    read_s: float
    shared_s: float

    @classmethod
    def on(cls, engine: SharedMemory, work: ExpertWork) -> ExpertTime:
        """Return the time of `work` on `engine`."""
        return cls(
            work.count,
            work.experts,
            work.active,
            engine.dispatch_s,
            work.token_flops / engine.flops_s,
            work.token_bytes / engine.bytes_s,
            work.expert_bytes / engine.bytes_s,
            work.shared_bytes / engine.bytes_s,
        )

    def __call__(self, tokens: float) -> float:
        """Seconds for `tokens` tokens, all layers."""
        return self.count * max(self.dispatch_s, self.compute_s * tokens, self.memory_s(tokens))

    def memory_s(self, tokens: float) -> float:
        """Seconds of the memory side ``m(T)`` of one layer."""
        return self.read_s * covered(self.experts, self.active, tokens) + self.shared_s + self.move_s * tokens

    def lower(self) -> Pieces:
        """Return a convex function below the time for every ``T >= 1``.

        It is the largest of three lines: the dispatch time, the compute time ``c T``, and the chord of ``m`` from
        ``T = 1`` to ``T = x`` with the height ``min(m(x), c x)`` there, ``x`` the point where ``m(x) = c x``.

        *Proof for the chord, for any* ``x > 1``. If ``m(1) < c``, then ``m < c T`` for all ``T >= 1`` (``m - c T`` is
        concave and not negative at 0), no chord is needed and none is used. Otherwise, on ``[1, x]`` the concave ``m``
        is above its chord, which is above ours. Beyond ``x`` ours is at most ``c x`` there, and its slope
        ``(min(m(x), c x) - m(1)) / (x - 1) <= (c x - c) / (x - 1) = c``, so that it stays below ``c T``. Rounding of
        ``x`` does no harm, and as ``m`` does not fall the slope is none below zero. If the sides never cross, or so far
        out that no number holds it, ``m(T) >= m(1) + move_s (T - 1)``, because more tokens hit no fewer experts.
        """
        first = self.memory_s(1.0)
        lines = [(self.dispatch_s, 0.0), (0.0, self.compute_s)]
        x = self._crossing()
        if x == math.inf:
            lines.append((first - self.move_s, self.move_s))
        elif x > 1.0:
            slope = max(0.0, (min(self.memory_s(x), self.compute_s * x) - first) / (x - 1.0))
            lines.append((first - slope, slope))
        envelope = upper_envelope(lines)
        return Pieces(envelope.breaks, tuple((self.count * c, self.count * slope) for c, slope in envelope.segments))

    def _crossing(self) -> float:
        """Tokens at which arithmetic overtakes memory: 1 if it has from the start, infinite if it does not."""
        from scipy.optimize import brentq

        def ahead_s(tokens: float) -> float:
            return self.memory_s(tokens) - self.compute_s * tokens

        if ahead_s(1.0) <= 0:
            return 1.0
        if self.compute_s <= self.move_s:
            return math.inf
        far = 2.0 + (self.read_s * self.experts + self.shared_s) / (self.compute_s - self.move_s)
        if far > _FARTHEST or ahead_s(far) >= 0:
            return math.inf
        return float(brentq(ahead_s, 1.0, far))


_FARTHEST = 1e15
"""Crossings beyond so many tokens are not looked for."""


def covered(experts: int, active: int, tokens: float) -> float:
    """Mean number of distinct experts that `tokens` tokens hit, each visiting `active` of `experts` at random."""
    missed: float = (1.0 - active / experts) ** tokens
    return experts * (1.0 - missed)
