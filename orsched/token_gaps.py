"""The distribution of the gaps between output tokens, kept as runs of iterations instead of one number a token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats


@dataclass(frozen=True, slots=True, eq=False)
class TokenGaps:
    """Gaps between consecutive output tokens of a request, over all requests; arrays of shape ``(runs,)``.

    A run stands for ``weight * count`` gaps: ``first_s, first_s + step_s, ..., first_s + (count - 1) step_s``, each
    met by `weight` requests at once.

    Parameters
    ----------
    first_s, step_s : ndarray of float64
        First gap of the run and what each next one adds, seconds; ``step_s >= 0``.
    count, weight : ndarray of float64
        Iterations of the run and requests in it (whole numbers).
    """

    first_s: Floats
    step_s: Floats
    count: Floats
    weight: Floats

    @property
    def tokens(self) -> int:
        """Number of gaps: output tokens after each request's first."""
        return int((self.count * self.weight).sum())

    @property
    def total_s(self) -> float:
        """Sum of all gaps, seconds: every request's time from first token to completion."""
        return float((self.weight * self.count * (self.first_s + self.step_s * (self.count - 1) / 2)).sum())

    def quantile_s(self, share: float) -> float:
        """Smallest gap such that at least `share` of all gaps are no longer, to 1e-12 relative.

        Found by bisection on the counting function, which is evaluated exactly for the arithmetic runs, so that no
        array as long as the number of tokens is ever made.

        Raises
        ------
        InputError
            When there is no gap, or `share` is not in ``(0, 1]``.
        """
        if not 0 < share <= 1 or self.tokens == 0:
            raise InputError(f"quantile {share!r} of {self.tokens} gaps: need a share in (0, 1] and at least one gap")
        target = share * self.tokens * (1 - 1e-12)
        low, high = 0.0, float((self.first_s + self.step_s * (self.count - 1)).max())
        while high - low > 1e-12 * high:
            middle = 0.5 * (low + high)
            if self._no_longer_than(middle) >= target:
                high = middle
            else:
                low = middle
        return high

    def _no_longer_than(self, gap_s: float) -> float:
        """Number of gaps of at most `gap_s`."""
        room = gap_s - self.first_s
        rising = self.step_s > 0
        terms = np.where(room >= 0, self.count, 0.0)
        steps = np.divide(room, self.step_s, out=np.zeros_like(room), where=rising)
        terms = np.where(rising & (room >= 0), np.minimum(np.floor(steps) + 1, self.count), terms)
        return float((terms * self.weight).sum())
