"""The tidy frame every calibration works on: one row per timed iteration."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from orsched.errors import InputError

COUNT_COLUMNS = ("prompt_tokens", "chunk_attention", "past_tokens", "num_seqs", "kv_tokens")
PROFILE_COLUMNS = (*COUNT_COLUMNS, "time_s", "regime", "group")


def profile_frame(
    *,
    time_s: ArrayLike,
    group: ArrayLike,
    prompt_tokens: ArrayLike = 0,
    chunk_attention: ArrayLike = 0.0,
    past_tokens: ArrayLike = 0,
    num_seqs: ArrayLike = 0,
    kv_tokens: ArrayLike = 0,
) -> pd.DataFrame:
    """Build a profile; scalars are repeated, and the regime follows from the counts.

    Parameters are the columns of `check_profile`, each of shape ``(n,)`` or a scalar.
    """
    prompt, attention, past, seqs, kv, time, groups = np.broadcast_arrays(
        prompt_tokens, chunk_attention, past_tokens, num_seqs, kv_tokens, time_s, group
    )
    return pd.DataFrame(
        {
            "prompt_tokens": prompt,
            "chunk_attention": attention,
            "past_tokens": past,
            "num_seqs": seqs,
            "kv_tokens": kv,
            "time_s": np.asarray(time, dtype=np.float64),
            "regime": regimes(prompt, past, seqs),
            "group": groups,
        }
    )


def regimes(prompt_tokens: ArrayLike, past_tokens: ArrayLike, num_seqs: ArrayLike) -> NDArray[np.str_]:
    """Name the regime of each iteration: decode, prefill, chunked (prompt with a past) or mixed."""
    prompt, past, seqs = np.asarray(prompt_tokens), np.asarray(past_tokens), np.asarray(num_seqs)
    return np.select([prompt == 0, seqs > 0, past > 0], ["decode", "mixed", "chunked"], default="prefill").astype(str)


def check_profile(profile: pd.DataFrame, min_points: int) -> None:
    """Refuse a profile that cannot be fitted, naming the column at fault.

    Parameters
    ----------
    profile : DataFrame
        One row per iteration. Columns: ``prompt_tokens`` (prompt tokens processed),
        ``chunk_attention`` (sum over prompt chunks of p (past + p/2), tokens squared),
        ``past_tokens`` (cached tokens of the prompt chunks), ``num_seqs`` (decoding
        requests), ``kv_tokens`` (KV tokens they read), ``time_s`` (seconds), ``regime``
        (decode, prefill, chunked or mixed) and ``group`` (rows left out together in
        cross-validation).
    min_points : int
        Fewest rows accepted.

    Raises
    ------
    InputError
        A column is missing or has a missing, infinite or impossible value, or there are fewer
        than `min_points` rows.
    """
    missing = [name for name in PROFILE_COLUMNS if name not in profile]
    if missing:
        raise InputError(f"profile lacks the column(s) {', '.join(missing)}")
    if len(profile) < min_points:
        raise InputError(f"time_s has {len(profile)} points; at least {min_points} are needed")
    for name in ("regime", "group"):
        if profile[name].isna().any():
            raise InputError(f"{name} has missing values")
    for name in (*COUNT_COLUMNS, "time_s"):
        values = profile[name].to_numpy(np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"{name} has missing or infinite values")
        allowed = values > 0 if name == "time_s" else values >= 0
        if not allowed.all():
            wanted = "positive" if name == "time_s" else "zero or more"
            raise InputError(f"{name} must be {wanted}; found {values[~allowed][0]:g}")
