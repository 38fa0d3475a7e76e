"""A table of texts, with a key in each cell that it is sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_ROWS = 2_000
"""Most rows of a table on the page; the results folder has all of them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Parameters
    ----------
    text : str
        As shown; empty for what does not exist.
    key : float or str, optional
        What it is sorted by; None: always last.
    mood : {"", "best", "good", "bad"}
        How it is set off.
    link : str
        Anchor of the place on the page that it leads to; empty: nowhere.
    """

    text: str
    key: float | str | None = None
    mood: str = ""
    link: str = ""

    @property
    def key_text(self) -> str:
        """The key as an attribute; numbers to nine digits, more than any table shows."""
        return self.key if isinstance(self.key, str) else f"{self.key:.9g}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Parameters
    ----------
    title : str
        Its header.
    numeric : bool
        Whether keys are numbers; then cells are set flush right.
    unit : str
        Below the header.
    hint : str
        What it is, for those who ask.
    """

    title: str
    numeric: bool = False
    unit: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first column names the rows.

    Parameters
    ----------
    caption : str
        What it shows.
    columns : sequence of Column
        At least one.
    rows : sequence of sequence of Cell
        Each as long as `columns`.
    note : str
        Below it.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    @property
    def shown_rows(self) -> Sequence[Sequence[Cell]]:
        """The rows that the page shows."""
        return self.rows[:MOST_ROWS]

    @property
    def left_out(self) -> int:
        """Rows that it does not show."""
        return len(self.rows) - len(self.shown_rows)


def words(text: str) -> Cell:
    """A cell sorted by its text."""
    return Cell(text, text.casefold() or None)


def number(value: float | None, form: str = ".4g") -> Cell:
    """A cell sorted by its number; empty without one."""
    return Cell("") if value is None else Cell(format(value, form), value)
