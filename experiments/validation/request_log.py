"""What a server logged of each request, and reading it from a file somebody sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path

import numpy as np

from orsched.errors import InputError
from orsched.work import Floats, Ints
from orsched.workloads import Workload
from orsched.workloads.files.cells import Cells
from orsched.workloads.files.opening import Limits
from orsched.workloads.files.readers import FORMATS, suffix_of

LIMITS = Limits(file_bytes=64 * 2**20, unpacked_bytes=256 * 2**20, rows=100_000)
"""Largest log that is read."""

MOST_S = 30 * 86_400.0
"""Longest time from the first queueing to the last token that is believed, seconds: 30 days."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Column names of one kind of log.

    Parameters
    ----------
    name : str
        Whose.
    inputs, outputs, queued, first, last : str
        Columns that are needed: prompt and output lengths in tokens; when the engine queued the request, emitted its
        first token and its last, seconds on one clock.
    scheduled : str
        Optional: when it first ran, on the same clock.
    others : tuple of str
        Columns that are known and not used.
    """

    name: str
    inputs: str
    outputs: str
    queued: str
    first: str
    last: str
    scheduled: str
    others: tuple[str, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return (self.inputs, self.outputs, self.queued, self.first, self.last)


DIALECTS = (
    Dialect(
        "tidy", "input_tokens", "output_tokens", "queued_s", "first_token_s", "last_token_s", "scheduled_s",
        ("gpu", "model", "arrival_s", "request_id"),
    ),
    Dialect(
        "LLMServingSim requests.jsonl", "input_toks", "output_toks", "queued_ts", "first_token_ts", "last_token_ts",
        "scheduled_ts", ("request_id", "arrival_time"),
    ),
)  # fmt: skip
"""Logs that are understood: the bundled ones', and what LLMServingSim's benchmark of vLLM writes."""


@dataclass(frozen=True, slots=True, eq=False)
class RequestLog:
    """Measured requests in the order in which the engine queued them; arrays of shape ``(n,)``.

    Parameters
    ----------
    name : str
        Label in tables.
    input_tokens, output_tokens : ndarray of int64
        Lengths.
    queued_s, first_token_s, last_token_s : ndarray of float64
        Engine clock, seconds; the first request is queued at 0.
    """

    name: str
    input_tokens: Ints
    output_tokens: Ints
    queued_s: Floats
    first_token_s: Floats
    last_token_s: Floats

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.queued_s)

    @property
    def workload(self) -> Workload:
        """The requests as they reached the engine: a request arrives when it is queued."""
        return Workload.of(self.queued_s, self.input_tokens, self.output_tokens, name=self.name)

    def in_system(self, times_s: Floats) -> Ints:
        """Requests queued and not finished at each of `times_s`."""
        queued = np.searchsorted(self.queued_s, times_s, side="right")
        return np.asarray(queued - np.searchsorted(np.sort(self.last_token_s), times_s, side="right"))


def read_request_log(path: str | PathLike[str], *, name: str | None = None, limits: Limits = LIMITS) -> RequestLog:
    """Read a log with one request a row (or line) in one of `DIALECTS`.

    The order of the rows matters only between requests that were queued at the same time and have the same lengths.

    Raises
    ------
    InputError
        Naming the file, and row, line and column of what cannot be right: unknown, missing or doubled columns, times
        that are negative, not finite or out of order, lengths below 1, no request, too large a file, times over
        more than `MOST_S`.
    """
    file = Path(path)
    limits.check_file(file)
    table = FORMATS[suffix_of(file)](file, limits)
    found = table.names()
    dialect = _recognise(file, found)
    timed = [name for name in (dialect.queued, dialect.scheduled, dialect.first, dialect.last) if name in found]
    used = (dialect.inputs, dialect.outputs, *timed)
    cells = Cells(table, table.load(used, ()))
    inputs, outputs = cells.whole(dialect.inputs, least=1), cells.whole(dialect.outputs, least=1)
    times = {column: cells.durations(column, 1.0) for column in timed}
    _require_order(cells, times)
    if (still := (outputs == 1) & (times[dialect.last] > times[dialect.first])).any():
        raise cells.refuse(int(np.argmax(still)), dialect.last, f"one output token, but later than {dialect.first}")
    queued, first, last = (times[column] for column in (dialect.queued, dialect.first, dialect.last))
    order = np.lexsort((outputs, inputs, queued))  # ties not by what was measured after queueing
    start_s = queued.min()
    if (span_s := last.max() - start_s) > MOST_S:
        raise InputError(
            f"{file}: {span_s:,.0f} s from the first {dialect.queued} to the last {dialect.last}, a log of over "
            f"{MOST_S / 86_400:.0f} days is not read: are the times seconds, not milliseconds or less, on one clock?"
        )
    return RequestLog(
        name or file.name[: -len(suffix_of(file))],
        inputs[order],
        outputs[order],
        *((column - start_s)[order] for column in (queued, first, last)),
    )


def _recognise(file: Path, found: Sequence[str]) -> Dialect:
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise InputError(f"{file}: column {twice[0]} is there {found.count(twice[0])} times; keep one")
    dialect = max(DIALECTS, key=lambda d: len(set(d.needed) & set(found)))
    missing = [name for name in dialect.needed if name not in found]
    if missing:
        raise InputError(
            f"{file}: no column {', '.join(missing)}; a request log ({dialect.name}) needs "
            f"{', '.join(dialect.needed)}, found {', '.join(map(repr, found[:20]))}"
        )
    known = {*dialect.needed, dialect.scheduled, *dialect.others}
    unknown = [name for name in found if name not in known]
    if unknown:
        raise InputError(
            f"{file}: unknown column {', '.join(map(repr, unknown[:20]))}; a request log ({dialect.name}) may also "
            f"have {', '.join((dialect.scheduled, *dialect.others))}; drop the rest"
        )
    return dialect


def _require_order(cells: Cells, times: Mapping[str, Floats]) -> None:
    """Refuse a request that was scheduled, began or ended before what comes before that."""
    for earlier, later in pairwise(times):
        wrong = times[later] < times[earlier]
        if wrong.any():
            row = int(np.argmax(wrong))
            before = f"{times[later][row]:.9g} is before {earlier} = {times[earlier][row]:.9g}"
            raise cells.refuse(row, later, before)
