"""Text to be emphasised, whatever the form of the table."""

from __future__ import annotations


class Strong(str):
    """A cell of a table that is set in bold where the form has it."""

    __slots__ = ()
