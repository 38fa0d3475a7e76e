"""Checks that constructors share: one wording for one mistake."""

from __future__ import annotations

import math
import sys
import unicodedata
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.work import Floats, Ints

MAX_TOKENS = 2**31 - 1
"""Largest length, in tokens, that a workload may hold (sums over requests then stay exact in int64)."""


MOST_SHOWN = 80
"""Most characters of a value that messages show."""


def shown(value: object) -> str:
    """``repr(value)`` for a message: at most 80 characters of it."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print integers of thousands of digits.
        return "an integer of too many digits"
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."


_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's Bidi_Control characters: they reorder what stands beside them on a line."""


def has_control(text: str) -> bool:
    """Whether `text` holds control characters: a line break, an escape sequence, a NUL, a change of direction."""
    return any(unicodedata.category(character) == "Cc" or character in _DIRECTIONS for character in text)


def require_number(
    name: str,
    value: Any,
    *,
    least: float = 0.0,
    most: float = math.inf,
    above: bool = False,
    below: bool = False,
    finite: bool = True,
    unit: str = "",
) -> None:
    """Refuse `value` unless a number from `least` to `most`, ends included but for `above` and `below`.

    Infinity is allowed only if it need not be `finite`.

    Raises
    ------
    InputError
        Giving the name, the value and what is allowed.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if number and finite:
        number = abs(value) <= sys.float_info.max
    if not (number and (value > least if above else value >= least) and (value < most if below else value <= most)):
        bound = f"{'>' if above else '>='} {least:g}"
        if math.isfinite(most):
            bound += f" and {'<' if below else '<='} {most:g}"
        what = ("a finite number" if finite else "a number") + (f" of {unit}" if unit else "")
        raise InputError(f"{name} = {shown(value)}: must be {what} {bound}")


def check_number(
    owner: object,
    field: str,
    *,
    least: float = 0.0,
    most: float = math.inf,
    above: bool = False,
    below: bool = False,
    finite: bool = True,
    unit: str = "",
) -> None:
    """`require_number` of ``owner.field``, named after the owner's type and the field; see `as_python` for numpy's."""
    name = f"{type(owner).__name__}.{field}"
    value = getattr(owner, field)
    require_number(name, value, least=least, most=most, above=above, below=below, finite=finite, unit=unit)
    as_python(owner, field)


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether `value` is a whole number from `least` to `most`; a truth value is none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def require_whole(name: str, value: object, *, least: int = 1, most: int = MAX_TOKENS) -> None:
    """Refuse `value` unless it is a whole number from `least` to `most`; raises InputError."""
    if not is_whole(value, least, most):
        raise InputError(f"{name} = {shown(value)}: must be a whole number from {least} to {most}")


def check_whole(owner: object, field: str, *, least: int = 1, most: int = MAX_TOKENS) -> None:
    """`require_whole` of ``owner.field``, named after the owner's type and the field; see `as_python` for numpy's."""
    require_whole(f"{type(owner).__name__}.{field}", getattr(owner, field), least=least, most=most)
    as_python(owner, field)


def as_python(owner: object, field: str) -> None:
    """Replace a number of numpy by the equal one of Python: exact arithmetic with 64-bit integers would overflow."""
    value = getattr(owner, field)
    if isinstance(value, np.generic):
        object.__setattr__(owner, field, value.item())


def check_wholes(owner: object, field: str, *, least: int = 1, most: int = MAX_TOKENS, count: int = 1) -> None:
    """Refuse ``owner.field`` unless a tuple of at least `count` whole numbers from `least` to `most`."""
    value = getattr(owner, field)
    if not isinstance(value, tuple) or len(value) < count or not all(is_whole(item, least, most) for item in value):
        what = f"a tuple of {count} or more" if count else "a tuple of"
        raise InputError(
            f"{type(owner).__name__}.{field} = {value!r}: must be {what} whole numbers from {least} to {most}"
        )
    if any(isinstance(item, np.generic) for item in value):
        object.__setattr__(owner, field, tuple(int(item) for item in value))


def check_is(owner: object, field: str, kind: type) -> None:
    """Refuse ``owner.field`` unless it is of a type; raises InputError."""
    value = getattr(owner, field)
    if not isinstance(value, kind):
        raise InputError(f"{type(owner).__name__}.{field} = {value!r}: must be of type {kind.__name__}")


def check_has(owner: object, field: str, what: str, *attributes: str) -> None:
    """Refuse ``owner.field`` unless it has the attributes of `what` it should be; raises InputError."""
    value = getattr(owner, field)
    if not all(hasattr(value, attribute) for attribute in attributes):
        raise InputError(f"{type(owner).__name__}.{field} = {value!r}: must be {what}")


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
