"""From a profile to the tabulated service model, and what its interpolation misses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.calibration.errors import predicted_s, regime_errors
from experiments.calibration.grids import after_past, along, causal, plane, thinned
from experiments.calibration.kernels import Kernels, Series, series
from experiments.calibration.profile import Profile
from experiments.calibration.profile_frame import COUNT_COLUMNS, profile_frame
from orsched.catalogue import FitError
from orsched.errors import InputError
from orsched.service import Curve, Grid, Tabulated

_PAST_AVERAGED = 4096
_PASTS = np.array([0.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0])
_LEAST_LINES = 4
_PROMPT_AXES = ("chunk_tokens", "past_tokens")
_DECODE_AXES = ("num_seqs", "context_tokens")


def tabulated(profile: Profile, overhead_s: float = 0.0) -> Tabulated:
    """Build the model that interpolates a profile.

    `mixed` is the mean, over pasts of at most 4,096 tokens, of what decodes add to a chunk; where prompts and decodes
    were timed apart it is the attention of the decodes alone.

    Raises
    ------
    InputError
        When the profile has no decodes, no prompts or too few points for a grid, or times whole iterations but none
        with both.
    """
    if profile.kernels is not None:
        return _of_parts(profile.kernels, overhead_s)
    return _of_iterations(profile, overhead_s)


def _of_parts(kernels: Kernels, overhead_s: float) -> Tabulated:
    table = kernels.single_chunks()
    share = kernels.kv_skew_share()
    skew = Curve((1.0,), (share,)) if share else None
    return Tabulated(
        overhead_s, _curve(kernels.tokens), _curve(kernels.sequences), *_grids(table, apart=True), skew=skew
    )


def _of_iterations(profile: Profile, overhead_s: float) -> Tabulated:
    """Whole iterations: the shortest of them is the fixed part, the grids hold the rest."""
    table = whole_iterations(profile)
    fixed = float(table["time_s"].min())
    above = table.assign(time_s=table["time_s"] - fixed)
    none = Curve((0.0,), (0.0,))
    return Tabulated(overhead_s, Curve((0.0,), (fixed,)), none, *_grids(above, apart=False))


def whole_iterations(profile: Profile) -> pd.DataFrame:
    """Return the iterations of at most one chunk in the columns of `Kernels.attention`."""
    frame = profile.iterations
    prompt, seqs = frame["prompt_tokens"].to_numpy(np.float64), frame["num_seqs"].to_numpy(np.float64)
    one = np.isclose(frame["chunk_attention"], prompt * (frame["past_tokens"] + prompt / 2))
    table = pd.DataFrame(
        {
            "chunk_tokens": prompt,
            "chunks": (prompt > 0).astype(np.int64),
            "past_tokens": frame["past_tokens"].to_numpy(np.float64),
            "num_seqs": seqs,
            "context_tokens": frame["kv_tokens"].to_numpy(np.float64) / np.maximum(seqs, 1.0),
            "time_s": frame["time_s"].to_numpy(np.float64),
        }
    )
    return table[one].reset_index(drop=True)


def _grids(table: pd.DataFrame, apart: bool) -> tuple[Grid, Grid, Grid]:
    prompts = table[(table["chunks"] > 0) & (table["num_seqs"] == 0)]
    decodes = table[table["chunks"] == 0]
    both = table[(table["chunks"] > 0) & (table["num_seqs"] > 0)]
    for name, rows in (("decodes", decodes), ("prompts", prompts)):
        if len(rows) < 4:
            raise InputError(
                f"the profile has {len(rows)} timed batches of {name} alone; form 'tabulated' needs at least 4"
            )
    if both.empty and not apart:
        raise InputError(
            "the profile times whole iterations, but none with a prompt and decodes: form 'tabulated' would "
            "have to invent them; use --form hinged"
        )
    seqs, contexts, times = plane(decodes, "num_seqs", "context_tokens")
    if len(contexts) < 2:
        raise InputError("the profile has decodes of one context length only; form 'tabulated' needs at least 2")
    decode = Grid.monotone((seqs.tolist(), contexts.tolist()), times)
    if both.empty:
        mixed = Grid.monotone(([1.0], seqs.tolist(), contexts.tolist()), times[None])
    else:
        mixed = _mixed(prompts, both)
    return _prefill(prompts, decodes), decode, mixed


def _prefill(prompts: pd.DataFrame, decodes: pd.DataFrame) -> Grid:
    if prompts["past_tokens"].nunique() > 1:
        chunks, pasts, times = after_past(prompts)
    else:
        chunks, pasts = thinned(prompts["chunk_tokens"]), _PASTS
        one = decodes[decodes["num_seqs"] == decodes["num_seqs"].min()].sort_values("context_tokens")
        read = (one["context_tokens"].to_numpy(np.float64), one["time_s"].to_numpy(np.float64))
        times = causal(series(prompts, "chunk_tokens"), read, chunks, pasts)
    return Grid.monotone((chunks.tolist(), pasts.tolist()), times)


def _mixed(prompts: pd.DataFrame, both: pd.DataFrame) -> Grid:
    key = ["chunk_tokens", "past_tokens"]
    alone = prompts.set_index(key)["time_s"].rename("alone_s")
    joined = both.join(alone, on=key, how="inner")
    joined = joined[joined["past_tokens"] <= max(_PAST_AVERAGED, joined["past_tokens"].min())]
    if joined.empty:
        raise InputError("no batch of a prompt and decodes has its prompt timed alone too; form 'tabulated' needs that")
    joined = joined.assign(added_s=joined["time_s"] - joined["alone_s"])
    added = joined.groupby(["chunk_tokens", "num_seqs", "context_tokens"], as_index=False)["added_s"].mean()
    seqs = np.unique(added["num_seqs"].to_numpy(np.float64))
    contexts = thinned(added["context_tokens"])
    if len(contexts) < 2:
        raise InputError("mixed batches have one context length only; form 'tabulated' needs at least 2")
    complete = added.groupby("chunk_tokens")["num_seqs"].nunique()
    chunks = complete.index[complete == len(seqs)].to_numpy(np.float64)
    if not len(chunks):
        raise InputError("no prompt size was timed beside every number of decodes; form 'tabulated' needs a grid")
    cells = dict(list(added.groupby(["chunk_tokens", "num_seqs"])))
    values = [[along(cells[chunk, n], "context_tokens", "added_s", contexts) for n in seqs] for chunk in chunks]
    return Grid.monotone((chunks.tolist(), seqs.tolist(), contexts.tolist()), np.asarray(values))


def _curve(known: Series) -> Curve:
    return Curve.monotone(known.at.tolist(), known.values.tolist())


def line_errors(profile: Profile, kept: pd.DataFrame) -> tuple[FitError, ...]:
    """Errors of interpolation by regime: every inner line of the grids is left out in turn and predicted.

    A line is one value of prompt tokens, past, decodes or context among decodes, prompts or mixed batches, where there
    are at least four. Most profiles double from one line to the next, so that leaving one out makes the grid four times
    as coarse there: an upper estimate. A point is predicted once for each line it is on; `points` counts it once.
    With a line of prompt tokens or decodes, the operators at that many tokens and sequences are left out too.

    Parameters
    ----------
    profile : Profile
        What is tabulated.
    kept : DataFrame
        The iterations that count (those that fit the memory); a subset of the profile's.
    """
    frames, predictions = [], []
    for fewer, left_out in _without_lines(profile):
        rows = left_out[_inside(left_out, kept)]
        if rows.empty:
            continue
        frames.append(rows)
        predictions.append(predicted_s(tabulated(fewer), rows))
    if not frames:
        raise InputError("the profile has too few lines of each kind to leave one out")
    every = pd.concat(frames, ignore_index=True)
    distinct = every.drop_duplicates(list(COUNT_COLUMNS))["regime"].value_counts()
    errors = regime_errors(every, np.concatenate(predictions))
    return tuple(replace(error, points=int(distinct[error.group])) for error in errors)


def _inside(rows: pd.DataFrame, kept: pd.DataFrame) -> pd.Series:
    counts = ["prompt_tokens", "chunk_attention", "num_seqs", "kv_tokens"]
    return pd.Series(
        pd.MultiIndex.from_frame(rows[counts]).isin(pd.MultiIndex.from_frame(kept[counts])), index=rows.index
    )


def _without_lines(profile: Profile) -> Iterator[tuple[Profile, pd.DataFrame]]:
    """Yield the profile without each inner line, and the iterations of that line."""
    kernels = profile.kernels
    table = whole_iterations(profile) if kernels is None else kernels.attention
    with_prompt, with_decodes = table["chunks"] > 0, table["num_seqs"] > 0
    for kind, axes in (
        (~with_prompt, _DECODE_AXES),
        (with_prompt & ~with_decodes, _PROMPT_AXES),
        (with_prompt & with_decodes, (*_PROMPT_AXES, *_DECODE_AXES)),
    ):
        for axis in axes:
            lines = thinned(table.loc[kind, axis]) if kind.any() else ()
            for line in lines[1:-1] if len(lines) >= _LEAST_LINES else ():
                on_it = kind & (table[axis] == line)
                rest, gone = table[~on_it], table[on_it]
                if kernels is None:
                    yield replace(profile, iterations=_iterations(rest)), _iterations(gone)
                else:
                    less = _without_points(replace(kernels, attention=rest), axis, float(line))
                    yield replace(profile, kernels=less), replace(kernels, attention=gone).iterations()


def _without_points(kernels: Kernels, axis: str, line: float) -> Kernels:
    """Leave out what the operators take at as many tokens or sequences as the line of the grid has."""
    if axis == "chunk_tokens":
        return replace(kernels, tokens=kernels.tokens.without(line))
    if axis == "num_seqs":
        return replace(kernels, tokens=kernels.tokens.without(line), sequences=kernels.sequences.without(line))
    return kernels


def _iterations(table: pd.DataFrame) -> pd.DataFrame:
    chunk, past, seqs = (table[name].to_numpy(np.float64) for name in ("chunk_tokens", "past_tokens", "num_seqs"))
    return profile_frame(
        prompt_tokens=chunk,
        chunk_attention=chunk * (past + chunk / 2),
        past_tokens=past,
        num_seqs=seqs,
        kv_tokens=seqs * table["context_tokens"].to_numpy(np.float64),
        time_s=table["time_s"],
        group=seqs,
    )
