"""A function of two or three numbers, interpolated between measured points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.service.tabulated.values import increasing_axis, monotone, nested_floats, require_monotone, slopes

Row = tuple[tuple[float, float], ...]
"""Along the last axis: the value at each point and the slope after it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Multilinear between its points and non-decreasing along every axis.

    The last axis is a length (context, or tokens cached before), the one before it counts what has that length
    (decodes, or prompt tokens). Before the first point of an axis the grid is constant along it. Beyond the last it is
    constant too, except for the length, which goes on with the slope over its last doubling (as in
    `orsched.service.tabulated.curve.Curve`), or, where that is more, with the slope at the largest count ``n_max``
    times ``n / n_max``: memory traffic per token does not become cheaper than it is where it is saturated. (A long
    context of few requests can look cheaper because repeated measurements find it in the cache.)

    Parameters
    ----------
    axes : tuple of tuple of float
        Two or three axes, each increasing and >= 0; the counts end above 0, the length has at least two points.
    values : nested tuples of float, shape (len(axes[0]), len(axes[1]), ...)
        Finite, >= 0, non-decreasing along every axis. `monotone` takes measured values that are not.

    Raises
    ------
    InputError
        Naming the position and the value that breaks one of these conditions.
    """

    axes: tuple[tuple[float, ...], ...]
    values: tuple[Any, ...]
    _cells: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.axes, Sequence) or len(self.axes) not in (2, 3):
            raise InputError("Grid.axes: must be two or three lists of numbers")
        axes = tuple(increasing_axis(f"Grid.axes[{k}]", axis) for k, axis in enumerate(self.axes))
        last = len(axes) - 1
        if len(axes[last]) < 2:
            raise InputError(f"Grid.axes[{last}]: needs two or more points, so that it can go on beyond them")
        if axes[last - 1][-1] <= 0:
            raise InputError(f"Grid.axes[{last - 1}]: ends at 0, must know a count above")
        values = nested_floats("Grid.values", self.values, tuple(map(len, axes)))
        require_monotone("Grid.values", values)
        cells = (
            tuple(_rows(axes[1], axes[2], plane) for plane in values) if last == 2 else _rows(axes[0], axes[1], values)
        )
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_cells", cells)

    @classmethod
    def monotone(cls, axes: Sequence[Sequence[float]], values: ArrayLike) -> Grid:
        """Return the non-decreasing grid next to measured `values`; see `tabulated.values.monotone`."""
        return cls(tuple(map(tuple, axes)), tuple(monotone(values).tolist()))

    def times(self, factor: float) -> Grid:
        """Return the grid with all values `factor` times as large."""
        return Grid(self.axes, _multiplied(self.values, factor))

    def on_plane(self, count: float, length: float) -> float:
        """Value of a grid of two axes."""
        return _on_plane(self.axes[0], self.axes[1], self._cells, count, length)

    def in_space(self, x: float, count: float, length: float) -> float:
        """Value of a grid of three axes."""
        axis, counts, lengths = self.axes
        i, share = _place(axis, x)
        low = _on_plane(counts, lengths, self._cells[i], count, length)
        if not share:
            return low
        return low + share * (_on_plane(counts, lengths, self._cells[i + 1], count, length) - low)

    def row(self, count: float) -> list[tuple[float, float]]:
        """Value and slope after it at each length of a grid of two axes, for one count."""
        i, share = _place(self.axes[0], count)
        low = self._cells[i]
        high = self._cells[i + 1] if share else low
        return [(v + share * (w - v), s + share * (t - s)) for (v, s), (w, t) in zip(low, high, strict=True)]

    def slopes_beyond(self) -> list[tuple[float, float]]:
        """Count and slope beyond the largest length, at every count; of a grid of three axes at each `x` too."""
        counts = self.axes[-2]
        planes = self._cells if len(self.axes) == 3 else (self._cells,)
        return [(n, row[-1][1]) for plane in planes for n, row in zip(counts, plane, strict=True)]


def _on_plane(
    counts: tuple[float, ...], lengths: tuple[float, ...], rows: tuple[Row, ...], count: float, length: float
) -> float:
    j = bisect_right(lengths, length) - 1
    if j < 0:
        j, step = 0, 0.0
    else:
        step = length - lengths[j]
    i, share = _place(counts, count)
    value, slope = rows[i][j]
    low = value + slope * step
    if not share:
        return low
    value, slope = rows[i + 1][j]
    return low + share * (value + slope * step - low)


def _place(axis: tuple[float, ...], x: float) -> tuple[int, float]:
    """Point at or before `x` and the share of the way to the next; no way to go outside the axis."""
    i = bisect_right(axis, x) - 1
    if i < 0:
        return 0, 0.0
    if i + 1 == len(axis):
        return i, 0.0
    before = axis[i]
    return i, (x - before) / (axis[i + 1] - before)


def _rows(counts: tuple[float, ...], lengths: tuple[float, ...], values: Any) -> tuple[Row, ...]:
    """Values and slopes of the rows of a plane; see `Grid` for the last slope of each."""
    after = [slopes(lengths, row) for row in values]
    least = after[-1][-1] / counts[-1]
    return tuple(
        tuple(zip(row, (*slope[:-1], max(slope[-1], least * n)), strict=True))
        for n, row, slope in zip(counts, values, after, strict=True)
    )


def _multiplied(values: Any, factor: float) -> Any:
    if isinstance(values, tuple):
        return tuple(_multiplied(part, factor) for part in values)
    return factor * values
