"""Records the gaps between output tokens, epoch by epoch."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

from orsched.token_gaps import TokenGaps

if TYPE_CHECKING:
    from orsched.engine.cohort import Cohort
    from orsched.service import PiecewiseLinear


class GapLog:
    """A gap runs from a request's token to its next, over pauses and recomputations too.

    Members of a cohort emitted their last token together, at the end of the cohort's last iteration, but for those
    that have joined since: each of these at the end of its prompt. So one number per cohort and one per
    newcomer are all there is to remember.
    """

    __slots__ = ("_last_s", "_new", "_preempted", "_rows")

    def __init__(self) -> None:
        self._rows = array("d")
        self._last_s: dict[Cohort, float] = {}
        self._new: dict[Cohort, dict[int, float]] = {}
        self._preempted: dict[int, float] = {}

    def joined(self, cohort: Cohort, request: int, end_s: float) -> None:
        """`request` emitted a token at the end of its prompt and now decodes in `cohort`."""
        self._new.setdefault(cohort, {})[request] = end_s

    def recomputed(self, request: int, end_s: float) -> None:
        """`request` was preempted earlier, has recomputed its KV cache and emitted its next token."""
        self._rows.extend((end_s - self._preempted.pop(request), 0.0, 1.0, 1.0))

    def parked(self, request: int, end_s: float) -> None:
        """`request` emitted a token at the end of its prompt, and its next one will come elsewhere."""
        self._preempted[request] = end_s

    def resumed(self, cohort: Cohort, request: int) -> None:
        """`request` has come with its KV cache and now decodes in `cohort`."""
        self.joined(cohort, request, self._preempted.pop(request))

    def preempted(self, cohort: Cohort, request: int) -> None:
        """`request` leaves `cohort`; its next token will come after a recomputation."""
        self._preempted[request] = self._leave(cohort, request)

    def moved(self, source: Cohort, target: Cohort, request: int) -> None:
        """`request` will emit its next token in `target`."""
        self.joined(target, request, self._leave(source, request))

    def _leave(self, cohort: Cohort, request: int) -> float:
        """When `request`, which leaves `cohort`, emitted its last token."""
        joined_s = self._new.get(cohort, {}).pop(request, None)
        return self._last_s[cohort] if joined_s is None else joined_s

    def iteration(self, cohort: Cohort, end_s: float) -> None:
        """Every member of `cohort` emitted a token at `end_s`."""
        self._first_of_epoch(cohort, end_s)
        self._last_s[cohort] = end_s

    def decode(
        self, cohort: Cohort, curve: PiecewiseLinear, kv: float, seqs: int, steps: int, start_s: float, end_s: float
    ) -> None:
        """The members of `cohort` decoded for `steps` iterations of a batch of `seqs` requests and `kv` KV tokens."""
        members = len(cohort.base)
        self._first_of_epoch(cohort, start_s + curve(kv))
        done = 1
        while done < steps:
            run, value, slope = curve.run_from(kv + done * seqs, seqs, steps - done)
            self._rows.extend((value, slope, run, members))
            done += run
        self._last_s[cohort] = end_s

    def _first_of_epoch(self, cohort: Cohort, end_s: float) -> None:
        members = len(cohort.base)
        if not members:
            return
        new = self._new.pop(cohort, {})
        for joined_s in new.values():
            self._rows.extend((end_s - joined_s, 0.0, 1.0, 1.0))
        if members > len(new):
            self._rows.extend((end_s - self._last_s[cohort], 0.0, 1.0, members - len(new)))

    def collect(self) -> TokenGaps:
        """All gaps."""
        rows = np.array(self._rows).reshape(-1, 4)
        return TokenGaps(*(np.ascontiguousarray(column) for column in rows.T))
