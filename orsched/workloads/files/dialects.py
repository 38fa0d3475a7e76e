"""Whose column names a trace uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Dialect:
    """Column names of one publisher of traces.

    Parameters
    ----------
    name : str
        The publisher.
    arrival, inputs, outputs : str
        Names of the columns with arrival times, prompt lengths and output lengths.
    seconds_per_unit : float, optional
        What a number in the arrival column is worth, in seconds; None when it holds ISO 8601 times.
    optional : tuple of str
        Names of columns that need not be there.
    """

    name: str
    arrival: str
    inputs: str
    outputs: str
    seconds_per_unit: float | None = 1.0
    optional: tuple[str, ...] = ()


CLASS_COLUMNS = ("class_id", "class", "ttft_slo_s", "tpot_slo_s")
"""Optional columns of our own dialect: index and name of the class, and its objective."""

PREFIX_COLUMNS = ("hash_ids", "hash_block_tokens")
"""Optional columns with the ids of the prompt's blocks, and the tokens of a block."""

OURS = Dialect("orsched", "arrival_s", "input_tokens", "output_tokens", optional=CLASS_COLUMNS + PREFIX_COLUMNS)
DIALECTS = (
    OURS,
    Dialect("Azure", "TIMESTAMP", "ContextTokens", "GeneratedTokens", seconds_per_unit=None),
    Dialect("Mooncake", "timestamp", "input_length", "output_length", seconds_per_unit=1e-3, optional=("hash_ids",)),
    Dialect("Vidur", "arrived_at", "num_prefill_tokens", "num_decode_tokens"),
    Dialect("BurstGPT", "Timestamp", "Request tokens", "Response tokens"),
)
"""Accepted names. The two length columns tell the dialects apart, so letter case need not."""


def recognise(path: Path, found: Sequence[str], *, arrivals: bool) -> tuple[Dialect, Mapping[str, str]]:
    """Find the dialect of a file with the columns `found`.

    Returns
    -------
    Dialect
        The first whose columns are all there; the arrival column only counts when `arrivals` is true.
    mapping of str to str
        From the name in the dialect (or in its `Dialect.optional`) to the name as written in the file.

    Raises
    ------
    InputError
        Listing what was found and what is accepted; or when a needed column is there twice.
    """
    written: dict[str, list[str]] = {}
    for name in found:
        written.setdefault(_fold(name), []).append(name)
    for dialect in DIALECTS:
        needed = [dialect.arrival] * arrivals + [dialect.inputs, dialect.outputs]
        if any(_fold(name) not in written for name in needed):
            continue
        used = needed + [name for name in dialect.optional if name in written]
        for name in used:
            if len(written[_fold(name)]) > 1:
                raise InputError(f"{path}: column {name} is there {len(written[_fold(name)])} times; keep one")
        return dialect, {name: written[_fold(name)][0] for name in used}
    accepted = "; ".join(f"{', '.join([d.arrival] * arrivals + [d.inputs, d.outputs])} ({d.name})" for d in DIALECTS)
    raise InputError(f"{path}: columns found: {', '.join(map(repr, found[:20]))}; accepted sets: {accepted}")


def _fold(name: str) -> str:
    return name.strip().lower()
