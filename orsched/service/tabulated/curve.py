"""A function of one number, interpolated between measured points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from orsched.service.tabulated.values import increasing_axis, monotone, nested_floats, slopes


@dataclass(frozen=True, slots=True)
class Curve:
    """Linear between its points, constant before the first, and beyond the last as over the last doubling.

    "As over the last doubling" is with the mean slope from half of the last point (or the first, if that is later) on:
    the last two points alone are often close and their difference is scatter.

    Parameters
    ----------
    at : tuple of float, shape (k,)
        Where the function is known: increasing, >= 0, at least one. A curve of one point is constant.
    values : tuple of float, shape (k,)
        Its values there, finite and >= 0.

    Raises
    ------
    InputError
        Naming the position of a number that breaks one of these conditions.
    """

    at: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        at = increasing_axis("Curve.at", self.at)
        values = nested_floats("Curve.values", self.values, (len(at),))
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "slopes", slopes(at, values))

    @classmethod
    def monotone(cls, at: Sequence[float], values: Sequence[float]) -> Curve:
        """Return the non-decreasing curve next to measured `values`; see `tabulated.values.monotone`."""
        return cls(tuple(at), tuple(monotone(values).tolist()))

    def __call__(self, x: float) -> float:
        """Value at `x`."""
        at = self.at
        if x <= at[0]:
            return self.values[0]
        i = bisect_right(at, x) - 1
        return self.values[i] + self.slopes[i] * (x - at[i])
