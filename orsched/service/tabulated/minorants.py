"""What makes an affine function a lower bound of a tabulated iteration time, and the proof.

Notation: ``P, A, B, K`` as in `orsched.service.Batch`, ``c = K / B``, ``s = A / P``; ``p_1 .. p_m`` the prompt tokens
of the table `prefill`, ``n_m`` the most decodes and ``c_m`` the longest context of `decode` or `mixed`. A *node* is a
point of a table. All slopes below are >= 0.

**Claim.** Let slopes and constants satisfy, at every node of the tables,

1. ``t0 + t1 x <= tokens(x)``, and ``t1 <=`` the slope of `tokens` beyond its last point; the same for ``q0, q1`` and
   `sequences`;
2. ``u0 + beta p + chi p (past + p/2) <= prefill(p, past)`` with ``u0 >= 0``, and ``chi p <=`` the slope of `prefill`
   in ``past`` beyond its last point;
3. ``w0 + gamma n + delta n c <= decode(n, c)``, and ``gamma n_m + delta n_m c <= decode(n_m, c)``, and ``delta n <=``
   the slope of `decode` in ``c`` beyond its last point;
4. the same for `mixed`, with ``v0 <= 0`` in place of ``w0``;
5. ``w0 <= u0 + v0``.

Then for every batch with a request in it, real numbers included, ``T >= (overhead_s + t0 + q0 + w0) + (t1 + beta) P +
(t1 + q1 + gamma) B + delta K + chi A``.

**Proof**, term by term; ``T`` is the sum of the terms.

*tokens, sequences.* Between points both sides of (1) are affine, so it holds there. Before the first the table is
constant and the line only lower; beyond the last the table rises at least as fast. `sequences` is taken at ``B + [P >
0] >= B`` and does not decrease.

*decode*, at ``n`` decodes of context ``c``. Inside a cell the table is bilinear and so is ``n c``: the difference of
the two sides of (3) is bilinear, least at a vertex, and there non-negative. Before the first node of an axis the
table is constant along it and the left side only lower. For ``c > c_m`` the difference is its value at ``c_m`` plus
``(c - c_m) (slope(n) - delta n)``, whose bracket is linear in ``n`` between nodes and non-negative at them. For ``n =
k n_m`` with ``k > 1`` the time is ``k decode(n_m, c)`` and, with ``g = gamma n_m + delta n_m c``, the left side is
``w0 + k g = (w0 + g) + (k - 1) g <= k decode(n_m, c)``. A skew only raises ``c``, and the table does not decrease.

*mixed.* As `decode`, with cells that are trilinear and the left side constant in ``P``; beyond the most prompt tokens
the table is constant, too.

*chunks.* First one chunk of ``p`` with ``past`` before. In a cell, for fixed ``p``, the difference of the sides of
(2) is linear in ``past``: least on an edge. Along the edge it is concave in ``p`` (linear minus ``chi p^2 / 2``):
least at a vertex. Beyond the last ``past`` as for `decode`. Before the first node of an axis, ``p`` and ``past`` may
be raised to it: the table stays, the left side grows. Now ``k = P / p > 1`` chunks with ``g = beta p + chi p s``.
Either ``s = past + p/2`` with ``past >= 0``, or ``p = p_1 > 2 s`` and ``past = 0``, where ``g`` is less than with ``s
= p_1 / 2``. So ``u0 + g <= prefill(p, past)``, and with ``u0 >= 0`` also ``g <= prefill``; thus ``u0 + k g = (u0 + g)
+ (k - 1) g <= k prefill``.

*Together.* Without prompt tokens there is a decode: attention is at least ``w0 + gamma B + delta K``. With prompt
tokens it is at least ``u0 + beta P + chi A``, plus ``v0 + gamma B + delta K`` with decodes and 0 without; as ``v0 <=
0`` and ``w0 <= u0 + v0`` both are at least the claim's. QED

**Rounding.** `Conditions.minorant` takes slopes from anywhere. It cuts them to the limits, scales those of attention
until (2) to (4) hold without constants, computes each constant as a minimum over nodes, and lowers slopes and base by
1e-9 of their size, which is more than all rounding. So the result does not rest on the tolerances of a solver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orsched.service.minorant import Minorant
from orsched.work import Floats

if TYPE_CHECKING:
    from orsched.service.tabulated.tabulated import Tabulated

SLOPES = ("t1", "q1", "beta", "chi", "gamma", "delta")
"""The slopes of the claim, in the order of the columns below; seconds per token, sequence, or token squared."""

_SHAVE = 1e-9


class Nodes(NamedTuple):
    """Conditions ``constant + left @ slopes <= right`` of one table.

    Parameters
    ----------
    left : ndarray of float64, shape (nodes, 6)
        By `SLOPES`.
    right : ndarray of float64, shape (nodes,)
        Values of the table, seconds.
    """

    left: Floats
    right: Floats

    def constant(self, slopes: Floats) -> float:
        """Largest constant that satisfies all of them."""
        return float((self.right - self.left @ slopes).min())

    def share(self, slopes: Floats) -> float:
        """Largest multiple of the slopes, at most 1, that satisfies all of them without a constant."""
        left = self.left @ slopes
        over = left > self.right
        return float(np.min(self.right[over] / left[over], initial=1.0))


class Conditions(NamedTuple):
    """The conditions of the claim for one model.

    Parameters
    ----------
    tokens, sequences, prefill, decode, mixed : Nodes
        Those with the constants ``t0, q0, u0, w0, v0``.
    fullest : Nodes
        Those without a constant, at the most decodes of `decode` and of `mixed`.
    most : ndarray of float64, shape (6,)
        Limits on the slopes.
    overhead_s : float
        Seconds per iteration.
    """

    tokens: Nodes
    sequences: Nodes
    prefill: Nodes
    decode: Nodes
    mixed: Nodes
    fullest: Nodes
    most: Floats
    overhead_s: float

    @classmethod
    def of(cls, model: Tabulated) -> Conditions:
        """Collect them from the tables of a model."""
        p, past = np.meshgrid(*model.prefill.axes, indexing="ij")
        n, c = np.meshgrid(*model.decode.axes, indexing="ij")
        m, d = np.meshgrid(*model.mixed.axes[1:], indexing="ij")
        prefill = _nodes(model.prefill.values, beta=p, chi=p * (past + 0.5 * p))
        decode = _nodes(model.decode.values, gamma=n, delta=n * c)
        # `mixed` does not decrease in prompt tokens: its first plane is the lowest.
        mixed = _nodes(model.mixed.values[0], gamma=m, delta=m * d)
        fullest = [Nodes(t.left[-k:], t.right[-k:]) for t, k in ((decode, len(c[0])), (mixed, len(d[0])))]
        delta = min(
            slope / count for grid in (model.decode, model.mixed) for count, slope in _counted(grid.slopes_beyond())
        )
        chi = min(slope / count for count, slope in _counted(model.prefill.slopes_beyond()))
        return cls(
            _nodes(model.tokens.values, t1=np.array(model.tokens.at)),
            _nodes(model.sequences.values, q1=np.array(model.sequences.at)),
            prefill,
            decode,
            mixed,
            Nodes(*map(np.concatenate, zip(*fullest, strict=True))),
            np.array([model.tokens.slopes[-1], model.sequences.slopes[-1], np.inf, chi, np.inf, delta]),
            model.overhead_s,
        )

    def minorant(self, slopes: Floats) -> Minorant:
        """Return the minorant with these slopes, lowered where a condition asks for it, and the largest base.

        Parameters
        ----------
        slopes : ndarray of float64, shape (6,)
            By `SLOPES`; negative ones count as zero.
        """
        slopes = np.clip(slopes, 0.0, self.most) * (1.0 - _SHAVE)
        slopes[2:4] *= self.prefill.share(slopes) * (1.0 - _SHAVE)
        slopes[4:6] *= self.fullest.share(slopes) * (1.0 - _SHAVE)
        t0, q0, u0, w0, v0 = (
            table.constant(slopes) for table in (self.tokens, self.sequences, self.prefill, self.decode, self.mixed)
        )
        terms = (self.overhead_s, t0, q0, min(w0, u0 + min(v0, 0.0)))
        t1, q1, beta, chi, gamma, delta = slopes.tolist()
        return Minorant(sum(terms) - _SHAVE * sum(map(abs, terms)), t1 + beta, t1 + q1 + gamma, delta, chi)


def _counted(slopes: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(count, slope) for count, slope in slopes if count > 0]


def _nodes(values: object, **columns: Floats) -> Nodes:
    right = np.array(values, dtype=np.float64).ravel()
    left = np.zeros((len(right), len(SLOPES)))
    for name, column in columns.items():
        left[:, SLOPES.index(name)] = column.ravel()
    return Nodes(left, right)
