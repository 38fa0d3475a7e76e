"""Operators that a profile of parts must have: without them weights are not read and times are too short."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orsched.errors import InputError

Alternatives = Sequence[Sequence[str]]
"""Sets of operator names, any one of which will do."""


def require_operators(
    where: str, there: Collection[str], others: Collection[str], needed: Sequence[Alternatives]
) -> None:
    """Refuse operators that are missing or unknown.

    Parameters
    ----------
    where : str
        The table, for messages.
    there : collection of str
        Operators that were timed.
    others : collection of str
        Operators that may be there.
    needed : sequence of Alternatives
        Operators that must be there, each in one of several ways.

    Raises
    ------
    InputError
        Naming the operators.
    """
    known = {*others, *(name for ways in needed for way in ways for name in way)}
    unknown = sorted(set(there) - known)
    if unknown:
        raise InputError(f"{where}: unknown operator(s) {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    for ways in needed:
        if not any(set(way) <= set(there) for way in ways):
            lacking = " or ".join(", ".join(way) for way in ways)
            raise InputError(f"{where}: no operator {lacking}: its weights would not be read and times too short")
