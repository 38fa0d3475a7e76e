"""What a results folder holds, in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from experiments.results.failures import Failure


def failures_grid(failures: Sequence[Failure]) -> Table:
    """One line per failed task: what it was, what it raised, how often."""
    grid = _grid("failed task", "error", "attempts")
    for failure in failures:
        grid.add_row(Text(failure.what), Text(failure.error), Text(str(failure.attempts)))
    return grid


def frame_grid(frame: pd.DataFrame) -> Table:
    """Print a data frame as it is, missing values empty."""
    grid = _grid(*map(str, frame.columns))
    for row in frame.itertuples(index=False):
        grid.add_row(*(Text(cell_text(value)) for value in row))
    return grid


def cell_text(value: object) -> str:
    """A number in six significant digits, nothing for a missing value."""
    if absent(value):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def absent(value: object) -> bool:
    """Whether a cell of a data frame holds nothing: a missing value, or no finite number."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT:
        return True
    return isinstance(value, float) and not math.isfinite(value)


def _grid(*headers: str) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        grid.add_column(header, overflow="fold")
    return grid
