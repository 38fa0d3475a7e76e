"""Workloads by name: bundled traces, reference laws, and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orsched.errors import unknown_name
from orsched.request import RequestClass
from orsched.workloads.arrivals import Poisson
from orsched.workloads.files import FORMATS, read_workload
from orsched.workloads.lengths import Independent
from orsched.workloads.marginals import Fixed, Uniform
from orsched.workloads.mix import ClassMix, ClassShare
from orsched.workloads.sources import SyntheticSource, TraceSource, WorkloadSource
from orsched.workloads.traces import TRACES, bundled_lengths, bundled_trace
from orsched.workloads.workload import Workload


def workload(name: str) -> Workload:
    """Return the whole workload `name`.

    A trace as recorded; for a synthetic name the path with its documented length and seed
    (`SyntheticSource.whole`). `name` may be the path of a CSV, Parquet or JSONL file.

    Raises
    ------
    UnknownNameError
        When there is no such name; the message suggests the nearest.
    InputError
        When a file cannot be used.
    """
    return workload_source(name).whole()


def workload_source(name: str) -> WorkloadSource:
    """Return the source `name` of sample paths: a catalogue name or the path of a trace file.

    Raises
    ------
    UnknownNameError
        When there is no such name; the message suggests the nearest.
    InputError
        When a file cannot be used.
    """
    if name in TRACES:
        return TraceSource(bundled_trace(name), TRACES[name])
    if name in _SYNTHETIC:
        return _SYNTHETIC[name]()
    if name.lower().endswith(tuple(FORMATS)) or Path(name).is_file():
        return TraceSource(read_workload(name), f"trace file {name}")
    raise unknown_name("workload", name, workload_names())


def workload_names() -> list[str]:
    """Names of all catalogue entries, sorted."""
    return sorted([*TRACES, *_SYNTHETIC])


def _reference() -> SyntheticSource:
    lengths = Independent(Uniform(50, 950), Uniform(20, 480))
    about = "Poisson 4 req/s; input uniform on 50..950, output uniform on 20..480 tokens, independent"
    return SyntheticSource("reference", about, Poisson(4.0), lengths)


def _arxiv() -> SyntheticSource:
    """Lengths are those of the trace, row by row with replacement; the source has no arrival times."""
    about = "lengths of 18838 arXiv summarizations (Vidur, Llama-2 tokens), arrivals Poisson 1 req/s"
    lengths = bundled_lengths("arxiv-summarization")
    return SyntheticSource("arxiv-summarization", about, Poisson(1.0), lengths, whole_requests=len(lengths))


def _wait_class(decodes: int) -> tuple[RequestClass, Independent]:
    """One class as WAIT counts: `decodes` iterations after the prefill, which emits one token more."""
    return RequestClass(f"p512d{decodes}"), Independent(Fixed(512), Fixed(decodes + 1))


def _p512d20() -> SyntheticSource:
    request_class, lengths = _wait_class(20)
    about = "one WAIT class: prompt 512, then 20 decode iterations (21 output tokens), Poisson 1 req/s"
    return SyntheticSource("p512d20", about, Poisson(1.0), ClassMix.single(lengths, request_class))


def _two_classes() -> SyntheticSource:
    (short, short_lengths), (long, long_lengths) = _wait_class(20), _wait_class(50)
    mix = ClassMix((ClassShare(short, 0.7, short_lengths), ClassShare(long, 0.3, long_lengths)))
    about = "two WAIT classes: prompt 512, then 20 (70%) or 50 (30%) decode iterations, Poisson 1 req/s"
    return SyntheticSource("p512d20-p512d50", about, Poisson(1.0), mix)


_SYNTHETIC: dict[str, Callable[[], SyntheticSource]] = {
    "arxiv-summarization": _arxiv,
    "p512d20": _p512d20,
    "p512d20-p512d50": _two_classes,
    "reference": _reference,
}
