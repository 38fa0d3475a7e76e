"""``orsched report`` as a call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.arguments import taken

if TYPE_CHECKING:
    import pandas as pd


@taken
def report(results: str | Path, *, out: str | Path | None = None, figures: str | Path | None = None) -> pd.DataFrame:
    """Write one HTML file with tables and interactive charts that needs no network.

    Parameters
    ----------
    results : str or Path
        Results folder of `experiments.run`.
    out : str or Path, optional
        File to write, ``.html``; by default ``report.html`` in the results folder.
    figures : str or Path, optional
        Folder for the charts as PNG, SVG and PDF files as well.

    Returns
    -------
    pandas.DataFrame
        One row per file written, the report first: file, bytes.

    Raises
    ------
    InputError
        As ``orsched report`` for the same options.
    """
    import pandas as pd

    from experiments.orders.reporting import report_order

    written = report_order(
        Path(results), None if out is None else Path(out), None if figures is None else Path(figures)
    )
    return pd.DataFrame({"file": [str(path) for path in written], "bytes": [path.stat().st_size for path in written]})
