"""The largest value since a moment, for many moments at once."""

from __future__ import annotations

import math
from bisect import bisect_right


class SuffixMaxima:
    """Members join at ticks of a clock, values are added as it advances: the largest value since a member joined.

    Members with the same answer share a segment. Segments are in order of time with falling maxima, so a value that is
    added joins the latest ones up to the first that is larger. Joining and adding cost O(1) amortised, leaving
    O(log members).
    """

    __slots__ = ("_counts", "_empty", "_starts", "_values", "members")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._values: list[float] = []
        self._counts: list[int] = []
        self._empty = 0
        self.members = 0

    def join(self, tick: int) -> None:
        """Let a member see the values added from now on; ticks never fall, and rise with every value added."""
        self.members += 1
        if self._starts and self._starts[-1] == tick:
            self._empty -= not self._counts[-1]
            self._counts[-1] += 1
            return
        self._starts.append(tick)
        self._values.append(-math.inf)
        self._counts.append(1)

    def add(self, value: float) -> None:
        """Add a value for all members present; there must be one."""
        values = self._values
        if value <= values[-1]:
            return
        while len(values) > 1 and values[-2] <= value:
            values.pop()
            self._starts.pop()
            upper = self._counts.pop()
            self._empty -= not (upper and self._counts[-1])
            self._counts[-1] += upper
        values[-1] = value

    def leave(self, tick: int) -> float:
        """Take out a member that joined at `tick`; the largest value added since, minus infinity when there is none."""
        k = bisect_right(self._starts, tick) - 1
        value = self._values[k]
        self.members -= 1
        self._counts[k] -= 1
        if not self._counts[k]:
            self._empty += 1
            if 2 * self._empty > len(self._counts):
                self._compact()
        return value

    def _compact(self) -> None:
        """Forget the segments that nobody needs any more."""
        kept = [k for k, count in enumerate(self._counts) if count]
        self._starts = [self._starts[k] for k in kept]
        self._values = [self._values[k] for k in kept]
        self._counts = [self._counts[k] for k in kept]
        self._empty = 0
