"""A workload: who arrives when, with how long a prompt and how long an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orsched.checks import MAX_TOKENS
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.load import load
from orsched.request import RequestClass
from orsched.work import Floats, Ints, RequestWork
from orsched.workloads.prefix_blocks import PrefixBlocks

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """Requests in order of arrival; arrays of shape ``(n,)``.

    Build it with `Workload.of`, which checks every column. True output lengths live here only: a policy
    sees a view that hides them unless its declared information allows more.

    Parameters
    ----------
    name : str
        Label in tables.
    arrival_s : ndarray of float64
        Arrival times in seconds, non-decreasing, >= 0.
    input_tokens, output_tokens : ndarray of int64
        Prompt and output lengths in tokens, >= 1.
    class_id : ndarray of int64
        Index into `classes`.
    classes : tuple of RequestClass
        The classes.
    notices : tuple of str
        What was changed on the way in (sorting, for example), to be shown to the user.
    context_tokens : int
        Longest prompt plus output that a server of this workload must be configured for. Parts and resamples
        keep that of the whole, so that it tells nothing about a sample path.
    prefix_blocks : PrefixBlocks, optional
        Which prompts begin alike; None: not known, nothing is shared.
    """

    name: str
    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    class_id: Ints
    classes: tuple[RequestClass, ...] = (RequestClass(),)
    notices: tuple[str, ...] = ()
    context_tokens: int = 0
    prefix_blocks: PrefixBlocks | None = None

    @classmethod
    def of(
        cls,
        arrival_s: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
        *,
        class_id: ArrayLike | None = None,
        classes: Sequence[RequestClass] = (RequestClass(),),
        name: str = "workload",
        notices: Sequence[str] = (),
        prefix_blocks: PrefixBlocks | None = None,
    ) -> Workload:
        """Check the columns and build a workload; unsorted arrivals are sorted, with a notice.

        Raises
        ------
        InputError
            Naming the column and the first bad row: NaN or negative times, lengths below 1 or not whole,
            columns of different length, an unknown class, more prefix blocks than a prompt has, no request at all.
        """
        arrivals = _times(arrival_s)
        inputs = _counts("input_tokens", input_tokens, 1)
        outputs = _counts("output_tokens", output_tokens, 1)
        ids = np.zeros(len(arrivals), dtype=np.int64) if class_id is None else _counts("class_id", class_id, 0)
        sizes = {"arrival_s": len(arrivals), "input_tokens": len(inputs), "output_tokens": len(outputs)}
        sizes["class_id"] = len(ids)
        if len(set(sizes.values())) > 1:
            raise InputError(f"workload columns differ in length: {sizes}")
        if len(arrivals) == 0:
            raise InputError("a workload needs at least one request")
        if ids.max() >= len(classes):
            row = int(np.argmax(ids >= len(classes)))
            raise InputError(f"class_id row {row + 1} = {ids[row]}: only {len(classes)} classes are defined")
        if prefix_blocks is not None:
            prefix_blocks.check_lengths(inputs)
        notes = list(notices)
        if np.any(np.diff(arrivals) < 0):
            row = int(np.argmax(np.diff(arrivals) < 0)) + 2
            order = np.argsort(arrivals, kind="stable")
            arrivals, inputs, outputs, ids = arrivals[order], inputs[order], outputs[order], ids[order]
            prefix_blocks = None if prefix_blocks is None else prefix_blocks.take(order)
            notes.append(f"arrivals were not sorted (first at row {row}); sorted by arrival time")
        for column in (arrivals, inputs, outputs, ids):
            column.setflags(write=False)
        longest = int((inputs + outputs).max())
        return cls(name, arrivals, inputs, outputs, ids, tuple(classes), tuple(notes), longest, prefix_blocks)

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last arrival."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def rate_per_s(self) -> float:
        """Requests per second: ``(n - 1)`` interarrival times over the span they cover.

        Raises
        ------
        InputError
            For one request, or when all arrive at the same instant: no rate exists.
        """
        if self.span_s <= 0:
            raise InputError(
                f"workload {self.name!r} has {len(self)} request(s) within 0 seconds: it has no arrival rate"
            )
        return (len(self) - 1) / self.span_s

    @property
    def work(self) -> RequestWork:
        """Work of each request."""
        return RequestWork.of(self.input_tokens, self.output_tokens)

    def load_on(self, fleet: Fleet) -> float:
        """Load of this workload on `fleet`: 1 is the edge of the planning LP's capacity region."""
        return load(self.rate_per_s, self.work, fleet)

    def at_rate(self, rate_per_s: float) -> Workload:
        """The same requests, time rescaled so that the rate is `rate_per_s`; the first arrival moves to 0."""
        if not (rate_per_s > 0 and np.isfinite(rate_per_s)):
            raise InputError(f"rate {rate_per_s!r}: must be a positive, finite number of requests per second")
        return self._replace(arrival_s=(self.arrival_s - self.arrival_s[0]) * (self.rate_per_s / rate_per_s))

    def at_load(self, load_target: float, fleet: Fleet) -> Workload:
        """The same requests, time rescaled so that the planning LP's load on `fleet` is `load_target`."""
        if not (load_target > 0 and np.isfinite(load_target)):
            raise InputError(f"load {load_target!r}: must be a positive, finite number")
        return self.at_rate(self.rate_per_s * load_target / self.load_on(fleet))

    def head(self, n: int) -> Workload:
        """The first `n` requests."""
        return self.slice(0, n)

    def slice(self, start: int, stop: int) -> Workload:
        """Requests ``start .. stop - 1``, with the first arrival moved to time zero."""
        if not 0 <= start < stop <= len(self):
            raise InputError(f"slice {start}:{stop} of {len(self)} requests: need 0 <= start < stop <= {len(self)}")
        return self.take(np.arange(start, stop), self.arrival_s[start:stop] - self.arrival_s[start])

    def take(self, rows: Ints, arrival_s: Floats) -> Workload:
        """The requests in `rows` with new arrival times (both of shape ``(k,)``)."""
        return self._replace(
            arrival_s=np.array(arrival_s, dtype=float),
            input_tokens=self.input_tokens[rows],
            output_tokens=self.output_tokens[rows],
            class_id=self.class_id[rows],
            prefix_blocks=None if self.prefix_blocks is None else self.prefix_blocks.take(rows),
        )

    def resample(self, n: int, rng: np.random.Generator) -> Workload:
        """A random sample path of `n` requests: circular blocks of consecutive requests.

        Each block keeps its order and its interarrival gaps, so that bursts and correlations survive. One
        block when ``n <= len(self)``; a longer path joins several, whose prompts share no prefix with those of
        another: a repeated request is another request like it. The gap that closes the circle is the mean
        interarrival time.
        """
        if n < 1 or n != int(n):
            raise InputError(f"resample to {n!r} requests: need a whole number >= 1")
        size = len(self)
        mean_gap = 1.0 / self.rate_per_s
        gaps = np.diff(self.arrival_s, append=self.arrival_s[-1] + mean_gap)
        starts = rng.integers(0, size, size=-(-n // size))
        rows = np.concatenate([(s + np.arange(min(size, n))) % size for s in starts])[:n]
        arrivals = np.concatenate([[0.0], np.cumsum(gaps[rows][:-1])])
        path = self.take(rows, arrivals)
        if path.prefix_blocks is None or n <= size:
            return path
        return path._replace(prefix_blocks=path.prefix_blocks.apart(np.arange(n) // size))

    def to_frame(self) -> pd.DataFrame:
        """The columns as a DataFrame: arrival_s, input_tokens, output_tokens, class_id."""
        import pandas as pd

        columns = ("arrival_s", "input_tokens", "output_tokens", "class_id")
        return pd.DataFrame({column: getattr(self, column) for column in columns})

    def with_name(self, name: str) -> Workload:
        """The same requests under another name."""
        return self._replace(name=name)

    def _replace(self, **changes: object) -> Workload:
        for value in changes.values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        return replace(self, **changes)  # type: ignore[arg-type]


def _times(values: ArrayLike) -> Floats:
    try:
        times = np.array(values, dtype=float).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(f"arrival_s: not numbers ({error})") from None
    bad = ~(np.isfinite(times) & (times >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"arrival_s row {row + 1} = {times[row]}: must be finite and >= 0 seconds")
    return times


def _counts(column: str, values: ArrayLike, least: int) -> NDArray[np.int64]:
    try:
        numbers = np.array(values, dtype=float).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(f"{column}: not numbers ({error})") from None
    bad = ~((numbers >= least) & (numbers <= MAX_TOKENS) & (numbers == np.floor(numbers)))
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"{column} row {row + 1} = {numbers[row]}: must be a whole number in {least}..{MAX_TOKENS}")
    return numbers.astype(np.int64)
