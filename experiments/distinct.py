"""Lists whose entries a reader of a table must be able to tell apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from orsched.errors import InputError


def require_distinct(field: str, values: Sequence[str | float], remedy: str = "leave one out") -> None:
    """Refuse a value that is given twice, or that tables print like another one.

    Parameters
    ----------
    field : str
        What they are, for the message.
    values : sequence of str or float
        Names, numbers or seeds.
    remedy : str
        What to do about it.

    Raises
    ------
    InputError
        Naming the field, the place and the value.
    """
    seen: dict[str | int, str | float] = {}
    for place, value in enumerate(values):
        first = seen.setdefault(_printed(value), value)
        if len(seen) <= place:
            alike = "given twice" if first == value else f"tables print it like {first!r}"
            raise InputError(f"{field}.{place} = {value!r}: {alike}; {remedy}")


def _printed(value: str | float) -> str | int:
    """What a reader of a table can tell apart: names but for white space, numbers to 6 digits; seeds as they are."""
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFKC", value).split())
    return value if isinstance(value, int) else f"{value:g}"
