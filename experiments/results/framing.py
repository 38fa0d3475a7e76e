"""From columns of Arrow to columns of data frames, repeated and with gaps, without an object for each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.results.entries import Whole

if TYPE_CHECKING:
    import pandas as pd

MISSING = -1
"""The row that stands for nothing."""


def spread(column: pa.ChunkedArray, rows: Whole, kind: str) -> pd.Series[Any]:
    """`column` at `rows`, nothing at `MISSING`.

    Parameters
    ----------
    column : pyarrow.ChunkedArray
        Texts, numbers or truths.
    rows : ndarray of int
        Which of them, as often as they stand there.
    kind : str
        What it becomes: ``"str"`` (objects, equal texts one object, None for nothing), ``"float64"`` (not a number
        for nothing), ``"int64"`` (nothing may be missing) or ``"boolean"``.
    """
    import pandas as pd

    if kind == "str":
        codes = pc.dictionary_encode(column).combine_chunks()
        texts = np.array([*codes.dictionary.to_pylist(), None], dtype=object)
        at = np.append(pc.fill_null(codes.indices, MISSING).to_numpy(), MISSING)
        return pd.Series(texts[at[rows]], dtype="object", copy=False)
    if kind == "boolean":
        truths = np.append(pc.fill_null(column, False).to_numpy(), False)
        is_missing = np.append(pc.is_null(column).to_numpy(), True)
        return pd.Series(pd.arrays.BooleanArray(truths[rows], is_missing[rows]), copy=False)
    values = column.to_numpy()
    return pd.Series((values if kind == "int64" else np.append(values, np.nan))[rows], dtype=kind, copy=False)
