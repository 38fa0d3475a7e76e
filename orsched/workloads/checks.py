"""Checks that several laws and processes share: one wording for one mistake."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.work import Floats, Ints

MAX_TOKENS = 2**31 - 1
"""Largest length, in tokens, that a workload may hold (sums over requests then stay exact in int64)."""


def check_number(
    owner: object,
    field: str,
    *,
    least: float = 0.0,
    most: float = math.inf,
    above: bool = False,
    unit: str = "",
) -> None:
    """Refuse ``owner.field`` unless a finite number in ``[least, most]``, or ``(least, most]`` if `above`.

    Raises
    ------
    InputError
        Naming the type, the field, the value and what is allowed.
    """
    value = getattr(owner, field)
    number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not (number and (value > least or (value == least and not above)) and value <= most):
        bound = f"{'>' if above else '>='} {least:g}" + (f" and <= {most:g}" if math.isfinite(most) else "")
        what = f"a finite number of {unit}" if unit else "a finite number"
        raise InputError(f"{type(owner).__name__}.{field} = {value!r}: must be {what} {bound}")


def check_whole(owner: object, field: str, *, least: int = 1, most: int = MAX_TOKENS) -> None:
    """Refuse ``owner.field`` unless it is a whole number in ``[least, most]``; raises InputError."""
    value = getattr(owner, field)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise InputError(f"{type(owner).__name__}.{field} = {value!r}: must be a whole number from {least} to {most}")


def check_numbers(owner: object, field: str) -> Floats:
    """Return the tuple ``owner.field`` as floats ``(k,)``; InputError if empty, negative or not finite."""
    value = getattr(owner, field)
    try:
        numbers = np.array(value, dtype=float)
    except (TypeError, ValueError):
        numbers = np.array([])
    if not isinstance(value, tuple) or numbers.ndim != 1 or not len(numbers):
        raise InputError(f"{type(owner).__name__}.{field} = {value!r}: must be a non-empty tuple of numbers")
    if not np.all(np.isfinite(numbers) & (numbers >= 0)):
        raise InputError(f"{type(owner).__name__}.{field} = {value!r}: every number must be finite and >= 0")
    return numbers


def token_column(label: str, values: ArrayLike) -> Ints:
    """Copy `values` into a read-only int64 array of lengths; whole numbers >= 1, at least one of them.

    Raises
    ------
    InputError
        Naming `label`, the first bad position (from 0) and its value.
    """
    try:
        numbers = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{label}: not numbers ({error})") from None
    if numbers.ndim != 1 or len(numbers) == 0:
        raise InputError(f"{label} has shape {numbers.shape}: must be one-dimensional and not empty")
    bad = ~((numbers >= 1) & (numbers <= MAX_TOKENS) & (numbers == np.floor(numbers)))
    if bad.any():
        at = int(np.argmax(bad))
        raise InputError(f"{label}[{at}] = {numbers[at]:g}: must be a whole number from 1 to {MAX_TOKENS}")
    tokens = numbers.astype(np.int64)
    tokens.setflags(write=False)
    return tokens
