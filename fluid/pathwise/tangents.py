"""What taking part in an iteration is worth when time has a price: the parts of the congestion bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orsched.service import Minorant
from orsched.work import Floats
from orsched.workloads import Workload

NODES = 14
"""Most points at which `Progress` tabulates marginal work."""


def participation_s(minorant: Minorant, most: int, time: float, work_s: Floats) -> Floats:
    """What a participation with marginal work x is worth, ``phi(x)``, at a price ``c`` of time.

    phi(x) = min over batch sizes ``1 <= b <= most`` of ``(b + c) (alpha / b + x)``. In words: the
    participant is delayed by the iteration it takes part in, and the iteration uses up time; in a batch of
    b it bears ``1/b`` of the base. *For every iteration,* of length T and with b participants of marginal
    works ``x_i``,

        b T + c T >= (b + c) (alpha + sum x_i) = sum_i (b + c) (alpha / b + x_i) >= sum_i phi(x_i).

    As a minimum of increasing lines phi is increasing and concave, and it is not negative; hence also
    subadditive: a prompt cut into chunks is worth at least as much as the whole. Unclipped, it is
    ``(sqrt(alpha) + sqrt(c x))^2``; for large x the participant is best alone, ``(1 + c) (alpha + x)``.

    Parameters
    ----------
    minorant : Minorant
        Sound, ``alpha = base_s >= 0``.
    most : int
        Most participants of an iteration, >= 1.
    time : float
        ``c >= 0``, request-seconds per second of an instance. At 0 phi is the critical path, ``alpha + x``.
    work_s : ndarray of float64, shape (j,)
        Marginal works x, seconds, >= 0.

    Returns
    -------
    ndarray of float64, shape (j,)
        Request-seconds.
    """
    base = minorant.base_s
    # Convex in b: the best whole b is next to sqrt(c alpha / x).
    least = time * base / most**2
    free = np.clip(np.sqrt(time * base / np.maximum(work_s, least)), 1.0, most) if least > 0 else np.ones(1)
    worths = ((b + time) * (base / b + work_s) for b in (np.floor(free), np.minimum(np.ceil(free), most)))
    least_worth: Floats = np.minimum(*worths)
    return least_worth


@dataclass(frozen=True, slots=True, eq=False)
class Progress:
    """What each request has to get done under one minorant: participations by marginal work.

    Every output token is emitted once. The first is emitted by a prefill, whose chunks have marginal works
    that add up to at least ``beta l + chi l^2 / 2``; the others by a decode that reads ``n`` tokens and has
    marginal work ``gamma + delta n``, or by a re-prefill after a preemption, whose chunks add up to at
    least as much (`fluid.pathwise.minorants.recompute_proof`). As phi is increasing, subadditive and not negative,
    what a request's participations are worth in all is at least ``phi(prefill) + sum over its decodes of
    phi(gamma + delta n)``, for every policy.

    To have few kinds of participation, one with work x between two nodes counts as a mixture of the two
    with the same mean; as phi is concave, that is worth no more.

    Parameters
    ----------
    minorant : Minorant
        Sound.
    nodes_s : ndarray of float64, shape (j,)
        Marginal works, increasing; they span all that occur.
    amounts : ndarray of float64, shape (j, n)
        Participations of each request at each node; they add up to its output tokens.
    """

    minorant: Minorant
    nodes_s: Floats
    amounts: Floats

    @classmethod
    def of(cls, workload: Workload, minorant: Minorant) -> Progress:
        """Tabulate what the requests of `workload` have to get done."""
        work = workload.work
        inputs, steps = work.prompt_tokens.astype(float), work.decode_iterations.astype(float)
        prefill = minorant.prompt_token_s * inputs + minorant.chunk_attention_s * work.chunk_attention
        first = minorant.sequence_s + minorant.kv_token_s * inputs
        nodes = _nodes(prefill, first, first + minorant.kv_token_s * np.maximum(steps - 1, 0))
        if len(nodes) == 1:
            return cls(minorant, nodes, (steps + 1)[None, :])
        # Mixture weights are second differences of the sums of (x - node)^+.
        above = [_excess(first, minorant.kv_token_s, steps, t) + np.maximum(prefill - t, 0) for t in nodes]
        slopes = np.diff(np.stack(above), axis=0) / np.diff(nodes)[:, None]
        ends = np.zeros((1, len(inputs)))
        amounts = np.diff(np.concatenate([-(steps + 1)[None, :], slopes, ends]), axis=0)
        return cls(minorant, nodes, np.maximum(amounts, 0.0))

    @property
    def totals(self) -> Floats:
        """Participations at each node over all requests, shape ``(j,)``."""
        sums: Floats = self.amounts.sum(axis=1)
        return sums


def _excess(first: Floats, step: float, count: Floats, level: float) -> Floats:
    """``sum_{k < count} max(0, first + k step - level)`` for each request."""
    if step == 0:
        return count * np.maximum(first - level, 0.0)
    below: Floats = np.clip(np.ceil((level - first) / step), 0.0, count)
    left = count - below
    start = first + below * step - level
    total: Floats = left * start + step * left * (left - 1) / 2
    return np.maximum(total, 0.0)


def _nodes(*works: NDArray[np.float64]) -> Floats:
    """Span all works by at most `NODES` points, in geometric steps between the least positive and the largest."""
    every = np.concatenate(works)
    least, most = float(every.min()), float(every.max())
    positive = float(every[every > 0].min(initial=most))
    if positive <= 0:
        return np.zeros(1)
    grid = np.geomspace(positive, most, NODES - 1)
    grid[0], grid[-1] = positive, most
    return np.unique(np.concatenate([[least], grid]))
