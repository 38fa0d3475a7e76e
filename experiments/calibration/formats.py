"""The profile formats, recognised by their columns; checks that hold for all of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from orsched.checks import shown
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Format:
    """A table layout.

    Parameters
    ----------
    name : str
        How messages and entries call it.
    labels : tuple of str
        Columns of names.
    counts : tuple of str
        Columns of numbers >= 0 that, with the labels, say what was timed.
    times : tuple of str
        Columns of seconds, > 0.
    ignored : tuple of str
        Columns that may be there and are not used.
    absent_time : float, optional
        A time that the source writes where nothing could be measured; such rows are dropped.
    """

    name: str
    labels: tuple[str, ...]
    counts: tuple[str, ...]
    times: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    absent_time: float | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which a table is not of this format."""
        return (*self.labels, *self.counts, *self.times)


_GROUP = ("gpu", "model", "tensor_parallel")
_MIXED = ("prefill_tokens", "prefill_past_kv_tokens", "decode_requests", "kv_tokens_per_decode")

ITERATIONS = Format("iteration profile", ("gpu", "model"), ("tensor_parallel", *_MIXED), ("iteration_s",))
MIXED = Format("llmservingsim_attention_mixed", ("gpu", "model"), ("tensor_parallel", *_MIXED), ("time_s",))
OPERATORS = Format(
    "llmservingsim_operators",
    ("gpu", "model", "operator", "counted_in", "x_name"),
    ("tensor_parallel", "x"),
    ("time_s",),
    ("x2",),
)
SKEW = Format(
    "llmservingsim_attention_skew",
    ("gpu", "model", "regime"),
    (
        "tensor_parallel",
        "decode_requests",
        "long_requests",
        "prefill_tokens",
        "prefill_past_kv_tokens",
        "kv_short",
        "kv_long",
        "kv_mean",
    ),
    ("time_all_mean_kv_s", "time_all_long_kv_s", "time_mixed_s"),
)
V0_ATTENTION = Format(
    "llmservingsim_v0_attention",
    ("gpu", "model", "phase"),
    ("tensor_parallel", "batch_size", "new_tokens_per_seq", "past_kv_tokens_per_seq"),
    ("time_s",),
)
V0_LAYERS = Format("llmservingsim_v0_layers", ("gpu", "model", "operator"), ("tensor_parallel", "tokens"), ("time_s",))
AIC_ATTENTION = Format(
    "aic_attention",
    ("gpu", "phase", "attn_dtype", "kv_dtype"),
    ("batch_size", "new_tokens_per_seq", "past_kv_tokens_per_seq", "num_heads", "num_kv_heads", "head_dim"),
    ("time_s",),
    ("power_W",),
)
AIC_GEMM = Format(
    "aic_gemm", ("gpu", "dtype"), ("tokens_m", "out_features_n", "in_features_k"), ("time_s",), ("power_W",)
)
AIC_COMM = Format("aic_comm", ("gpu", "stack", "op", "kernel", "dtype"), ("num_gpus", "message_size"), ("time_s",))
_VIDUR_PARTS = (
    "input_layernorm_s attn_pre_proj_s attn_rope_s attn_post_proj_s post_attention_layernorm_s mlp_up_proj_s mlp_act_s "
    "mlp_down_proj_s add_s n_head n_kv_head n_embd n_expanded_embd vocab_size"
)
VIDUR = Format(
    "vidur_linear_ops",
    ("gpu", "model"),
    ("tensor_parallel", "tokens"),
    ("layer_nonattention_s", "emb_s"),
    tuple(_VIDUR_PARTS.split()),
)
SPLITWISE = Format(
    "splitwise_batch_times",
    ("gpu", "model", "suspect"),
    ("tensor_parallel", "batch_size", "input_tokens_per_request", "output_tokens_per_request", "kv_tokens_mean"),
    ("prompt_time_s", "token_time_s"),
    ("prefill_tokens", "e2e_time_s", "peak_power_frac_tdp", "mean_power_frac_tdp"),
)
MUXSERVE = Format(
    "muxserve_llama",
    ("gpu", "model"),
    ("num_gpus", "sm_percent", "batch_size", "seq_tokens"),
    ("prefill_time_s", "decode_time_s"),
    absent_time=-0.001,
)
FORMATS: Mapping[str, Format] = {
    known.name: known
    for known in (
        ITERATIONS,
        MIXED,
        OPERATORS,
        SKEW,
        V0_ATTENTION,
        V0_LAYERS,
        AIC_ATTENTION,
        AIC_GEMM,
        AIC_COMM,
        VIDUR,
        SPLITWISE,
        MUXSERVE,
    )
}
"""Every profile format by name."""

_NO_PROFILES = {
    "prefill_a_ms": "published fitted coefficients, not measurements: there is nothing to calibrate to",
    "ttft_s": "end-to-end points, not a profile of iterations: give them with --points",
    "first_token_s": "a request log, not a profile of iterations: give it with --points",
}
MOST_S = 1e4
"""Longest time that is believed, seconds: nearly three hours for one iteration or batch."""
_MEANS = ("kv_mean", "kv_tokens_mean", "sm_percent")
_FROM_ONE = ("tensor_parallel", "num_gpus", "batch_size", "num_heads", "num_kv_heads", "head_dim")
_OTHER_UNITS = ("_ms", "_us", "_ns", "_msec", "_usec")


def recognise(table: pd.DataFrame, where: str) -> Format:
    """Find the format of a table.

    Raises
    ------
    InputError
        When its columns are those of no format, or it has columns that its format does not know; says what to do.
    """
    columns = set(table.columns)
    for column, reason in _NO_PROFILES.items():
        if column in columns:
            raise InputError(f"{where}: {reason}")
    found = max(FORMATS.values(), key=lambda known: (_complete(known, columns), _shared(known, columns)))
    missing = [name for name in found.required if name not in columns]
    if missing:
        other = [name for name in table.columns if str(name).endswith(_OTHER_UNITS)]
        if other:
            raise InputError(
                f"{where}: column {other[0]!r}: times are read in seconds, in columns ending in _s; convert"
            )
        raise InputError(
            f"{where}: the columns are those of no known format; nearest is {found.name}, without "
            f"{', '.join(missing)}{_near(missing, table)}; formats: {', '.join(FORMATS)}"
        )
    unknown = sorted(map(str, columns - {*found.required, *found.ignored}))
    if unknown:
        raise InputError(
            f"{where}: unknown column(s) {', '.join(unknown)} in a {found.name} table; rename or drop them"
        )
    return found


def _complete(known: Format, columns: set[str]) -> bool:
    return columns.issuperset(known.required)


def _shared(known: Format, columns: set[str]) -> float:
    return len(columns & set(known.required)) / len(known.required)


def _near(missing: list[str], table: pd.DataFrame) -> str:
    near = difflib.get_close_matches(missing[0], [str(name) for name in table.columns], n=1, cutoff=0.7)
    return f" ({near[0]!r} is near)" if near else ""


def checked(table: pd.DataFrame, known: Format, where: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the used columns with numbers as numbers, equal points merged, and what was done to them.

    Raises
    ------
    InputError
        For a value that is missing, no number, infinite, negative or (a time) zero; names the row and the column.
    """
    kept = [*known.required, *(name for name in ("x2",) if name in table.columns and name in known.ignored)]
    frame, notices = table[kept].copy(), []
    for name in (*known.counts, *known.times):
        frame[name] = _numbers(frame[name], where)
    if known.absent_time is not None:
        absent = np.isclose(frame[list(known.times)], known.absent_time).any(axis=1)
        if absent.any():
            notices.append(f"{where}: {absent.sum()} rows the source marks as not measured left out")
        frame = frame[~absent]
    for name in known.labels:
        if frame[name].isna().any():
            raise InputError(f"{where}: column {name!r} has missing values")
        frame[name] = frame[name].astype(str)
    for name in known.counts:
        _require(frame[name] >= 0, frame, name, "must be zero or more", where)
        if name not in _MEANS:
            _require(frame[name] % 1 == 0, frame, name, "must be a whole number", where)
        if name in _FROM_ONE:
            _require(frame[name] >= 1, frame, name, "must be at least 1", where)
    for name in known.times:
        _require(frame[name] > 0, frame, name, "a time must be above zero", where)
        _require(frame[name] <= MOST_S, frame, name, f"a time must be at most {MOST_S:,.0f} s", where)
    keys = [name for name in kept if name not in known.times]
    merged = frame.groupby(keys, sort=False, dropna=False, observed=True)[list(known.times)].median().reset_index()
    if len(merged) < len(frame):
        notices.append(f"{where}: {len(frame) - len(merged)} repeated points, the median of each is used")
    return merged, tuple(notices)


def _numbers(column: pd.Series, where: str) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"{where}: row {row + 1}, {column.name} = {_said(column.iloc[row])}: must be a finite number")
    return numbers


def _require(holds: pd.Series, frame: pd.DataFrame, name: str, rule: str, where: str) -> None:
    if not holds.all():
        row = int(np.argmin(holds.to_numpy()))
        raise InputError(f"{where}: row {int(frame.index[row]) + 1}, {name} = {frame[name].iloc[row]:g}: {rule}")


def _said(value: object) -> str:
    """A cell for a message, without numpy's way of writing numbers."""
    return shown(value.item() if isinstance(value, np.generic) else value)
