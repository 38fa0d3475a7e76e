"""Checks of tabulated numbers, and the non-decreasing table next to a noisy one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.work import Floats

MOST_POINTS = 100_000
"""Most numbers in one table."""

MOST = 1e12
"""Largest number in a table: tokens on an axis, or seconds."""

LEAST_STEP = 1e-6
"""Smallest step of an axis, tokens or requests."""


def increasing_axis(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """Return `values` as floats; InputError unless from 0 to `MOST` and increasing, at least one."""
    axis = _floats(name, values)
    if axis.ndim != 1 or not len(axis):
        raise InputError(f"{name}: must be a list of one or more numbers")
    for k, (low, high) in enumerate(pairwise(axis.tolist()), 1):
        if high - low < LEAST_STEP:
            raise InputError(f"{name}[{k}] = {high!r}: must be larger than {low!r} before it")
    return tuple(axis.tolist())


def nested_floats(name: str, values: Any, shape: tuple[int, ...]) -> Any:
    """Return `values` as nested tuples of floats; InputError unless of this shape, from 0 to `MOST`."""
    table = _floats(name, values)
    if table.shape != shape:
        wanted, given = (" x ".join(map(str, size)) or "a number" for size in (shape, table.shape))
        raise InputError(f"{name}: has shape {given}, its axes have {wanted}")
    return _tuples(table)


def slopes(at: Sequence[float], values: Sequence[float]) -> tuple[float, ...]:
    """Slope after each point; after the last, the mean slope from half of it (or from the first point) on."""
    half = max(at[0], 0.5 * at[-1])
    if half == at[-1]:
        return (0.0,)
    between = [(high - low) / (b - a) for (a, b), (low, high) in zip(pairwise(at), pairwise(values), strict=True)]
    last = (values[-1] - float(np.interp(half, at, values))) / (at[-1] - half)
    return (*between, last)


def require_monotone(name: str, values: Any) -> None:
    """Refuse nested `values` that decrease along an axis; names the first place.

    Raises
    ------
    InputError
        With the position and both values.
    """
    table = np.asarray(values, dtype=np.float64)
    for axis in range(table.ndim):
        falls = np.argwhere(np.diff(table, axis=axis) < 0)
        if len(falls):
            before = tuple(falls[0].tolist())
            after = tuple(k + (axis == d) for d, k in enumerate(before))
            raise InputError(
                f"{name}{_index(after)} = {float(table[after])!r}: less than {float(table[before])!r} "
                f"at {_index(before)}; a time must not decrease, see `monotone`"
            )


def monotone(values: ArrayLike) -> Floats:
    """Return the non-decreasing table (along every axis) that changes the largest difference least.

    Measured times scatter, so a longer context can seem faster. The entry becomes the mean of the largest value at or
    before it (along all axes) and the smallest at or after it. Both of these tables are non-decreasing, so their mean
    is; a table without a decrease stays as it is. No non-decreasing table stays closer to all values: where ``i`` is
    at or before ``j`` and ``v_i > v_j``, one of the two has to change by ``(v_i - v_j) / 2``, and no entry
    changes by more than half of such a difference. Negative values (differences of measurements) count as zero.

    Parameters
    ----------
    values : array_like of float
        One axis or several.

    Raises
    ------
    InputError
        When a value is no number of at most `MOST` in size.
    """
    table = np.maximum(_floats("values", values, least=-MOST), 0.0)
    below, above = table, table
    for axis in range(table.ndim):
        below = np.maximum.accumulate(below, axis=axis)
        above = np.flip(np.minimum.accumulate(np.flip(above, axis), axis=axis), axis)
    return np.asarray(np.where(below == above, table, 0.5 * (below + above)), np.float64)


def _floats(name: str, values: Any, least: float = 0.0) -> Floats:
    try:
        given = np.array(values, dtype=object)
        if given.size > MOST_POINTS:
            raise InputError(f"{name}: {given.size:,} numbers, at most {MOST_POINTS:,}")
        if any(isinstance(value, bool | str) for value in given.ravel()):
            raise TypeError
        table = given.astype(np.float64)
    except InputError:
        raise
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name}: must be numbers, in lists of equal lengths") from None
    bad = np.argwhere(~((table >= least) & (table <= MOST)))
    if len(bad):
        position = tuple(bad[0].tolist())
        raise InputError(f"{name}{_index(position)} = {float(table[position])!r}: must be from {least:g} to {MOST:g}")
    return table


def _index(position: tuple[int, ...]) -> str:
    return "".join(f"[{k}]" for k in position)


def _tuples(table: Floats) -> Any:
    if table.ndim == 1:
        return tuple(table.tolist())
    return tuple(_tuples(part) for part in table)
