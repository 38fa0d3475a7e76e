"""Records how late the tokens of each request are, epoch by epoch."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from orsched.engine.suffix_maxima import SuffixMaxima
from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.engine.cohort import Cohort
    from orsched.request import RequestClass
    from orsched.work import Floats


class Curve(Protocol):
    """Iteration times along growing KV tokens, linear on pieces; `orsched.service.PiecewiseLinear` is one."""

    def run_from(self, x: float, step: float, count: int) -> tuple[int, float, float]:
        """Terms from `x` on one piece, the first of them, and what each next one adds."""
        ...


class DeadlineLog:
    """Lateness under cumulative deadlines: token i = 0, 1, ... of a request is due at ``arrival + TTFT + i TPOT``.

    The lateness of a request is the largest of ``time of token i - its deadline`` over its tokens: all deadlines are
    met if it is at most 0. Members of a cohort advance together: at its tick c all members with the same TPOT see the
    same ``time(c) - c TPOT``. So one number per epoch, cohort and TPOT is all there is to keep, and a member asks for
    the largest since it joined when it leaves: at its completion, when it is preempted or moved, or goes to another
    instance. One log serves all instances.

    Parameters
    ----------
    arrival_s : sequence of float
        By request.
    labels : sequence of int
        Class of each request.
    classes : sequence of RequestClass
        With their objectives.

    Raises
    ------
    InputError
        When a class that has requests has no objective.
    """

    __slots__ = ("_arrival_s", "_labels", "_members", "_paces", "_slos", "_worst_s")

    def __init__(self, arrival_s: Sequence[float], labels: Sequence[int], classes: Sequence[RequestClass]) -> None:
        self._slos: dict[int, tuple[float, float]] = {}
        for label in set(labels):
            one = classes[label]
            if one.slo is None:
                raise InputError(f"class {one.name!r} has no SLO: nothing says when its tokens are due")
            self._slos[label] = one.slo.ttft_s, one.slo.tpot_s
        self._arrival_s = arrival_s
        self._labels = labels
        self._worst_s = array("d", [-math.inf]) * len(arrival_s)
        self._paces: dict[Cohort, dict[float, SuffixMaxima]] = {}
        self._members: dict[int, tuple[SuffixMaxima, int, float]] = {}

    def token(self, request: int, index: int, end_s: float) -> None:
        """`request` emitted token `index` at the end of its prompt, or of the recomputation of its KV cache."""
        ttft_s, tpot_s = self._slos[self._labels[request]]
        self._note(request, end_s - (self._arrival_s[request] + ttft_s + index * tpot_s))

    def joined(self, cohort: Cohort, request: int, emitted: int) -> None:
        """`request` has emitted `emitted` >= 1 tokens and emits the next ones in `cohort`."""
        ttft_s, tpot_s = self._slos[self._labels[request]]
        tick = cohort.clock
        paces = self._paces.setdefault(cohort, {})
        maxima = paces.get(tpot_s)
        if maxima is None:
            maxima = paces[tpot_s] = SuffixMaxima()
        maxima.join(tick)
        self._members[request] = maxima, tick, self._arrival_s[request] + ttft_s + (emitted - 1 - tick) * tpot_s

    def left(self, request: int) -> None:
        """`request` emits no more tokens in the cohort that it joined last."""
        maxima, tick, due_s = self._members.pop(request)
        self._note(request, maxima.leave(tick) - due_s)

    def iteration(self, cohort: Cohort, end_s: float) -> None:
        """Every member of `cohort`, whose clock is about to tick once, emitted a token at `end_s`."""
        for tpot_s, maxima in self._paces.get(cohort, {}).items():
            if maxima.members:
                maxima.add(end_s - (cohort.clock + 1) * tpot_s)

    def decode(
        self, cohort: Cohort, curve: Curve, kv: float, seqs: int, steps: int, start_s: float, end_s: float
    ) -> None:
        """Every member of `cohort`, whose clock is about to tick `steps` times, emitted a token at each iteration.

        Parameters
        ----------
        cohort : Cohort
            It need not be alone in the batch.
        curve : Curve
            Iteration times of the batch.
        kv, seqs : float, int
            KV tokens of the first iteration, and requests in the batch: each adds a token at every iteration.
        steps : int
            Iterations.
        start_s, end_s : float
            Of the epoch.
        """
        paces = [(tpot, maxima) for tpot, maxima in self._paces.get(cohort, {}).items() if maxima.members]
        if not paces:
            return
        tick = cohort.clock
        marks, falling = [(end_s, tick + steps)], []
        left, now_s = steps, start_s
        while left:
            run, value, slope = curve.run_from(kv, seqs, left)
            marks.append((now_s + value, tick + 1))
            if slope < 0:
                falling.append((now_s, tick, run, value, slope))
            left -= run
            if left:
                kv += run * seqs
                tick += run
                now_s += run * (value + 0.5 * slope * (run - 1))
                marks.append((now_s, tick))
        for tpot, maxima in paces:
            behind = max([time_s - at * tpot for time_s, at in marks])
            for time_s, at, run, value, slope in falling:
                behind = max(behind, time_s - at * tpot + furthest_behind(value, slope, run, tpot))
            maxima.add(behind)

    def lateness_s(self, completion_s: Sequence[float]) -> Floats:
        """Lateness of each request, seconds, shape ``(n,)``; infinite where `completion_s` is not a time."""
        worst: Floats = np.where(np.isfinite(np.asarray(completion_s)), np.asarray(self._worst_s), np.inf)
        return worst

    def _note(self, request: int, late_s: float) -> None:
        if late_s > self._worst_s[request]:
            self._worst_s[request] = late_s


def furthest_behind(value: float, slope: float, run: int, tpot: float) -> float:
    """Largest ``n (value - tpot) + slope n (n - 1) / 2`` over ``1 <= n <= run`` for ``slope < 0``.

    That is how far iterations that get shorter fall behind a pace: they do as long as the n-th one,
    ``value + (n - 1) slope``, is not shorter than `tpot`. Iterations that do not get shorter are furthest behind
    after the first or after the last one, since the expression is convex then.
    """
    gain = value - tpot
    n = run if gain + slope * (run - 1) >= 0 else 1 + max(0, math.floor(gain / -slope))
    return n * (gain + 0.5 * slope * (n - 1))
