"""A profile of parts: operators and attention kernels that add up to iterations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from experiments.calibration.profile_frame import profile_frame

Floats = NDArray[np.float64]

ATTENTION_COLUMNS = ("chunk_tokens", "chunks", "past_tokens", "num_seqs", "context_tokens", "time_s")


@dataclass(frozen=True, slots=True)
class Series:
    """A function known at points: `at` increasing, `values` in seconds.

    Linear between the points, constant before the first, and beyond the last as in the last piece unless that falls.
    """

    at: Floats
    values: Floats

    def __call__(self, x: ArrayLike) -> Floats:
        """Value at `x`, any shape."""
        where = np.asarray(x, np.float64)
        inside = np.interp(where, self.at, self.values)
        if self.at.size < 2:
            return np.asarray(inside, np.float64)
        slope = max(0.0, (self.values[-1] - self.values[-2]) / (self.at[-1] - self.at[-2]))
        return np.asarray(inside + slope * np.maximum(0.0, where - self.at[-1]), np.float64)

    def without(self, x: float) -> Series:
        """Return the function without what is known at `x`, unless that is its first or last point."""
        keep = self.at != x
        keep[[0, -1]] = True
        return Series(self.at[keep], self.values[keep])

    def __add__(self, other: Series) -> Series:
        """Sum, known at the points of both."""
        at = np.union1d(self.at, other.at)
        return Series(at, self(at) + other(at))

    def plus(self, other: Series) -> Series:
        """Sum, known where this function is: points of the other outside its range bend it only inside."""
        total = self + other
        keep = (total.at >= self.at[0]) & (total.at <= self.at[-1])
        return Series(total.at[keep], total.values[keep])


def series(table: pd.DataFrame, x: str, y: str = "time_s", times: float = 1.0) -> Series:
    """Return `times` times column `y` over column `x`; of points with equal `x` the median."""
    order = table.groupby(x, as_index=False)[y].median().sort_values(x)
    return Series(order[x].to_numpy(np.float64), times * order[y].to_numpy(np.float64))


@dataclass(frozen=True, slots=True)
class Kernels:
    """What an iteration is added up from; all seconds are of all layers.

    Parameters
    ----------
    tokens : Series
        Everything but attention and what comes after the last layer, by tokens in the batch.
    sequences : Series
        Output head and sampling, by sequences that produce an output.
    attention : DataFrame
        Measured attention: `chunks` prompt chunks of `chunk_tokens` after `past_tokens` each, beside `num_seqs`
        decodes of `context_tokens` each; `time_s`.
    skew : DataFrame, optional
        Decode attention of unequal contexts: ``decode_requests, kv_mean, kv_long, mean_s, long_s, unequal_s`` with
        the times of all at the mean, all at the longest, and as they are.
    """

    tokens: Series
    sequences: Series
    attention: pd.DataFrame
    skew: pd.DataFrame | None = None

    def iterations(self) -> pd.DataFrame:
        """Add the parts up to one timed iteration for each measured attention; columns of `check_profile`.

        Batches of more tokens than the operators were timed at are left out.
        """
        table = self.attention
        chunk, chunks, past, seqs, context, time = (table[name].to_numpy(np.float64) for name in ATTENTION_COLUMNS)
        prompt = chunk * chunks
        frame = profile_frame(
            prompt_tokens=prompt,
            chunk_attention=prompt * (past + chunk / 2),
            past_tokens=past * chunks,
            num_seqs=seqs,
            kv_tokens=seqs * context,
            time_s=time + self.tokens(prompt + seqs) + self.sequences(seqs + chunks),
            group=np.where(seqs > 0, seqs, chunks),
        )
        return frame[prompt + seqs <= self.tokens.at[-1]].reset_index(drop=True)

    def single_chunks(self) -> pd.DataFrame:
        """Return the attention rows of at most one prompt chunk."""
        return self.attention[self.attention["chunks"] <= 1]

    def kv_skew_share(self) -> float:
        """Effect of unequal contexts, one number for every batch size (`ServiceModel.kv_skew`); 0 if it was not timed.

        Relative least squares of ``unequal = mean + share (long - mean)`` over all rows of `skew`, within [0, 1]: times
        of equal contexts are close to linear in the context.
        """
        if self.skew is None:
            return 0.0
        longer = ((self.skew["long_s"] - self.skew["mean_s"]) / self.skew["unequal_s"]).to_numpy(np.float64)
        extra = (1.0 - self.skew["mean_s"] / self.skew["unequal_s"]).to_numpy(np.float64)
        weight = float(longer @ longer)
        return float(np.clip(longer @ extra / weight, 0.0, 1.0)) if weight > 0 else 0.0
