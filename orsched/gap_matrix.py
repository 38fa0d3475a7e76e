"""A gap table as a matrix: policies down, loads (or rates, or scales) across, one metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orsched.gap_row import Gap
from orsched.gap_text import aligned, located, percent
from orsched.html_table import html_table
from orsched.metrics import METRICS
from orsched.statistics.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd

Quantity = Literal["gap", "value"]
Standing = Literal["best", "not worse", "worse", "unranked"]

MARKS: Mapping[Standing, str] = {"best": "*", "not worse": "=", "worse": "", "unranked": ""}
"""What stands behind a number."""

NOT_RUN, NO_BOUND, NOT_MEASURED = "not run", "no bound", "not measured"


@dataclass(frozen=True, slots=True)
class Cell:
    """One policy in one column.

    Parameters
    ----------
    estimate : Estimate or None
        Of the gap (a fraction) or of the metric; of an unstable policy too, for data files. None where there is none.
    word : str
        What stands in place of the number: ``"unstable"``, ``"not run"``, ``"no bound"``, ``"not measured"``, or empty.
    standing : {"best", "not worse", "worse", "unranked"}
        Among the stable policies of the column, by `orsched.statistics.ranking`.
    gap : Gap, optional
        The gap of the metric, with its bound, where there is one.
    """

    estimate: Estimate | None
    word: str
    standing: Standing
    gap: Gap | None = None

    @property
    def strong(self) -> bool:
        """Whether the policy may be the best of its column."""
        return self.standing in ("best", "not worse")


@dataclass(frozen=True, slots=True)
class Column:
    """One load, rate or scale.

    Parameters
    ----------
    at : float
        Where.
    bounds : tuple of str
        The best valid bounds that gaps are measured against, each with its validity; the policies of a column share
        one, unless a bound does not hold for one of them.
    undecided : str
        Why its policies could not be ranked; empty when they were.
    left_out : tuple of str
        Policies that kept up, and whose cells are numbers, without the values of each path to be ranked with the
        others.
    """

    at: float
    bounds: tuple[str, ...]
    undecided: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GapMatrix:
    """Gaps (or values) of one metric by policy and column, with what may be called the best.

    Parameters
    ----------
    title : str
        What was measured, in one line.
    metric : str
        Name as in `orsched.metrics`.
    quantity : {"gap", "value"}
        Distance from the best valid bound, or, for a metric without one, the metric itself.
    axis : str
        What `Column.at` is.
    columns : tuple of Column
        In the order of the table.
    policies, information : tuple of str
        Of each row.
    cells : tuple of tuple of Cell
        By row, then column.
    notes : tuple of str
        What there is to say about cells, and the notices.
    level : float
        Of the intervals and of the rankings.
    """

    title: str
    metric: str
    quantity: Quantity
    axis: str
    columns: tuple[Column, ...]
    policies: tuple[str, ...]
    information: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    level: float = 0.95

    @property
    def caption(self) -> str:
        """What the numbers are."""
        if self.quantity == "gap":
            return f"gap of {self.metric} to the best valid bound (%)"
        better = METRICS[self.metric].better
        direction = "" if better is None else f", {better} is better"
        return f"{self.metric} ({METRICS[self.metric].unit}){direction}; it has no bound"

    @property
    def headers(self) -> tuple[str, ...]:
        """Of the columns of the text form."""
        return ("policy", "information", *(located(self.axis, at) for at in self._places().values()))

    def text(self, cell: Cell) -> str:
        """A cell as text: the mean and its half-width with a mark, or a word."""
        if cell.word or cell.estimate is None:
            return cell.word
        shown = percent(cell.estimate) if self.quantity == "gap" else cell.estimate
        return f"{shown} {MARKS[cell.standing]}".rstrip()

    def _places(self) -> dict[float, str]:
        """Where the columns are, in as few digits as tell them apart."""
        return distinct([column.at for column in self.columns])

    def _by_column(self, what: str, texts: Mapping[float, Sequence[str]]) -> list[str]:
        """Say each text once, with the columns that it is about."""
        names, places = self._places(), dict[str, list[str]]()
        for at, said in texts.items():
            for text in filter(None, said):
                places.setdefault(text, []).append(names[at])
        return [f"{what} at {located(self.axis, *at)}: {text}" for text, at in places.items()]

    def rows(self) -> list[tuple[str, ...]]:
        """The matrix as text, in the order of `headers`."""
        lines = zip(self.policies, self.information, self.cells, strict=True)
        return [(policy, information, *map(self.text, cells)) for policy, information, cells in lines]

    def footers(self) -> list[str]:
        """Lines below the matrix: the bound of each column, what the marks mean, the notes."""
        ranked = [column for column in self.columns if not column.undecided]
        legend = (
            f"* best mean of its column, = not significantly worse: of those that kept up, the best policy is among "
            f"those marked with {100 * self.level:g}% confidence per column (paired by sample path, all pairs compared)"
        )
        lines = self._by_column("bound", {column.at: column.bounds for column in self.columns})
        lines += self._by_column("no marks", {column.at: (column.undecided,) for column in self.columns})
        lines += self._by_column("not ranked", {c.at: (", ".join(c.left_out),) for c in self.columns})
        return [*lines, *([legend] if ranked else []), *(f"note: {note}" for note in self.notes)]

    def to_frame(self) -> pd.DataFrame:
        """One row per policy and column, in this order.

        Columns: policy, information, the axis (``load``, ``rate_per_s`` or ``scale``), metric, quantity, mean,
        half_width (both fractions for a gap, the metric's unit otherwise), n, word, standing, bound, bound_value,
        bound_validity, bound_certified. What does not exist is missing; the mean of an unstable policy is there, and
        depends on how long it was watched.
        """
        import pandas as pd

        lines = zip(self.policies, self.information, self.cells, strict=True)
        records = [
            self._record(policy, information, column, cell)
            for policy, information, cells in lines
            for column, cell in zip(self.columns, cells, strict=True)
        ]
        numbers = dict.fromkeys(("mean", "half_width", "bound_value"), "float64")
        return pd.DataFrame(records).astype({**numbers, "n": "Int64", "bound_certified": "boolean"})

    def _record(self, policy: str, information: str, column: Column, cell: Cell) -> dict[str, object]:
        found, gap = cell.estimate, cell.gap
        return {
            "policy": policy,
            "information": information,
            self.axis: column.at,
            "metric": self.metric,
            "quantity": self.quantity,
            "mean": None if found is None else found.mean,
            "half_width": None if found is None else found.half_width,
            "n": None if found is None else found.n,
            "word": cell.word,
            "standing": cell.standing,
            "bound": None if gap is None else gap.bound,
            "bound_value": None if gap is None else gap.bound_value.mean,
            "bound_validity": None if gap is None else gap.validity,
            "bound_certified": None if gap is None else gap.certified,
        }

    def summary(self) -> str:
        """Aligned plain text: the title, what the numbers are, the matrix, what is below it."""
        text = aligned([self.headers, *self.rows()])
        return "\n".join([self.title, self.caption, "", *text, *self.footers()])

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        """The matrix in a notebook."""
        return self.to_html()

    def to_html(self) -> str:
        """The text form as an HTML ``table`` without styles, bold where a policy may be the best."""
        strong = [[False, False, *(cell.strong for cell in cells)] for cells in self.cells]
        return html_table(f"{self.title}: {self.caption}", self.headers, self.rows(), self.footers(), strong)


def distinct(numbers: Sequence[float]) -> dict[float, str]:
    """Each number as a text of 6 significant digits, or of as many more as tell different numbers apart."""
    different = set(numbers)
    for digits in range(6, 18):
        texts = {number: f"{number:.{digits}g}" for number in numbers}
        if len(set(texts.values())) == len(different):
            break
    return texts
