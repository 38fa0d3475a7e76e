"""Step functions of time: counts that change at instants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.work import Floats


@dataclass(frozen=True, slots=True, eq=False)
class StepFunction:
    """A piecewise constant function of time, continuous from the right.

    Parameters
    ----------
    times_s : ndarray of float64, shape (k,)
        Where it changes, strictly increasing, seconds; from the first of them on it is defined, and before it has the
        same value.
    values : ndarray of float64, shape (k,)
        Its value from each of them to the next, and for ever after the last.
    """

    times_s: Floats
    values: Floats

    @classmethod
    def of_changes(cls, start: float, changes: Iterable[tuple[float, float]]) -> StepFunction:
        """Sum changes ``(time_s, by)``, in order of time, on top of the value `start` at time 0.

        Raises
        ------
        InputError
            When a time is not finite, or before the one before it.
        """
        times, values = [0.0], [start]
        for time_s, by in changes:
            if not times[-1] <= time_s < np.inf:
                raise InputError(f"change at {time_s!r} s after one at {times[-1]!r} s: must be in order of time")
            if time_s > times[-1]:
                times.append(time_s)
                values.append(values[-1])
            values[-1] += by
        return cls(np.array(times), np.array(values, dtype=float))

    def at(self, times_s: ArrayLike) -> Floats:
        """Values at the given times (s), of the same shape."""
        place = np.searchsorted(self.times_s, np.asarray(times_s, dtype=float), side="right") - 1
        return np.asarray(self.values[np.maximum(place, 0)])

    def integral(self, start_s: float, end_s: float) -> float:
        """Integral from `start_s` to `end_s` (value times seconds); 0 when the end is not after the start."""
        if end_s <= start_s:
            return 0.0
        inside = self.times_s[(self.times_s > start_s) & (self.times_s < end_s)]
        edges = np.concatenate(([start_s], inside, [end_s]))
        return float(self.at(edges[:-1]) @ np.diff(edges))
