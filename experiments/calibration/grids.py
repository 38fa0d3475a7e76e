"""Fill the grids of a tabulated model from measured points, some of which are missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.calibration.kernels import Floats, Series

_RATIO = 1.15


def along(points: pd.DataFrame, x: str, y: str, at: Floats) -> Floats:
    """Interpolate `y` over `x` at the points `at`: linear, constant before the first, going on as in the last piece.

    Of points with equal `x` the median counts.
    """
    known, values = _medians(points[x].to_numpy(np.float64), points[y].to_numpy(np.float64))
    found = np.interp(at, known, values)
    if known.size > 1:
        slope = max(0.0, (values[-1] - values[-2]) / (known[-1] - known[-2]))
        found = np.where(at > known[-1], values[-1] + slope * (at - known[-1]), found)
    return np.asarray(found, np.float64)


def _medians(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The distinct values of `x` in order, and the median of `y` at each; the frames are too small for a groupby."""
    order = np.lexsort((y, x))
    known, first, counts = np.unique(x[order], return_index=True, return_counts=True)
    inner = y[order]
    return known, (inner[first + (counts - 1) // 2] + inner[first + counts // 2]) / 2


def thinned(values: pd.Series | Floats) -> Floats:
    """Distinct values, leaving out those less than 15% above the one before; the first and the last stay."""
    distinct = np.unique(np.asarray(values, np.float64))
    kept = [distinct[0]]
    for value in distinct[1:]:
        if value >= _RATIO * kept[-1]:
            kept.append(value)
    if kept[-1] != distinct[-1]:
        kept[-1 if len(kept) > 1 else len(kept) :] = [distinct[-1]]
    return np.asarray(kept, np.float64)


def plane(points: pd.DataFrame, x: str, y: str) -> tuple[Floats, Floats, Floats]:
    """Grid of ``time_s`` over columns `x` and `y`: the axes and the values, shape ``(x, y)``.

    Rows of one point are left out where others have more; holes are interpolated along `y`. Beyond its last point a row
    grows as the row before it does, in proportion to `x`: more decodes read as many times more.
    """
    counts = points.groupby(x)[y].nunique()
    long = counts[counts >= min(2, counts.max())].index
    xs = thinned(points.loc[points[x].isin(long), x])
    ys = thinned(points[y])
    rows: list[Floats] = []
    for value in xs:
        known = points[points[x] == value]
        row = along(known, y, "time_s", ys)
        last = known[y].max()
        if rows:
            before, share = rows[-1], value / xs[len(rows) - 1]
            grown = np.interp(last, ys, row) + share * (before - np.interp(last, ys, before))
            row = np.where(ys > last, np.maximum(row, grown), row)
        rows.append(row)
    return xs, ys, np.array(rows)


def after_past(prompts: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """Grid of ``time_s`` over chunk and past tokens, where fewer chunk sizes were timed after a past than without.

    What the past adds to a chunk is interpolated between the sizes that have it; beyond the largest it grows with the
    size.
    """
    alone = prompts[prompts["past_tokens"] == prompts["past_tokens"].min()]
    counts = prompts.groupby("chunk_tokens")["past_tokens"].nunique()
    sizes = thinned(prompts.loc[prompts["chunk_tokens"].isin(counts[counts > 1].index), "chunk_tokens"])
    chunks = np.union1d(sizes, thinned(alone["chunk_tokens"]))
    pasts = thinned(prompts["past_tokens"])
    first = along(alone, "chunk_tokens", "time_s", chunks)
    added = []
    for size in sizes:
        rows = prompts[prompts["chunk_tokens"] == size]
        times = along(rows, "past_tokens", "time_s", pasts)
        added.append(times - times[0])
    at_sizes = np.asarray(added)
    beyond = np.maximum(1.0, chunks / sizes[-1])
    columns = [np.interp(chunks, sizes, at_sizes[:, k]) * beyond for k in range(len(pasts))]
    return chunks, pasts, first[:, None] + np.column_stack(columns)


def causal(first: Series, decode: tuple[Floats, Floats], chunks: Floats, past: Floats) -> NDArray[np.float64]:
    """Attention of a chunk after cached tokens, when only prompts without a past were timed. Ours, not measured.

    The largest of: the chunk alone; the difference of two prompts, ``T(past + p) - T(past)``, which has exactly its
    arithmetic; reading the cached tokens as a decode does.

    Parameters
    ----------
    first : Series
        Attention of a prompt without a past, by its tokens.
    decode : (array, array)
        Contexts, and the attention of one decode with them.
    chunks, past : array
        Axes of the result.
    """

    def alone(tokens: Floats) -> Floats:
        per_token = Series(first.at, first.values / first.at)
        return tokens * np.where(tokens > first.at[-1], per_token.values[-1] * tokens / first.at[-1], per_token(tokens))

    total = alone(chunks[:, None] + past[None, :]) - np.where(past > 0, alone(np.maximum(past, 1.0)), 0.0)[None, :]
    read = np.where(past > 0, np.interp(past, *decode), 0.0)[None, :]
    return np.maximum(np.maximum(first(chunks)[:, None], total), read)
