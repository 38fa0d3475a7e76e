"""Finished places one by one, for tables of means over paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from experiments.results.entries import Floats, Whole
from experiments.results.pairing import Paired
from experiments.results.place import Place
from orsched.bound import Bound


@dataclass(frozen=True, slots=True)
class Finished:
    """One finished place of one policy.

    Parameters
    ----------
    place : Place
        Its labels.
    information : str
        What the policy may know.
    load : float or None
        Where the load programme defines one.
    status, reason : str
        ``"done"``, or ``"unavailable"`` and why; or what there is to know about stability.
    stable : bool or None
        The verdict; None where it did not run.
    growth_per_s : float
        Growth of the number in system.
    settings : str
        JSON.
    shown : mapping of str to float
        Metrics after the warm-up.
    is_bounded : bool
        Whether the path has any bounds.
    best : mapping of str to Bound
        The best valid one of each metric.
    gaps : mapping of str to float
        Of each metric that has a best bound and may be compared with it.
    notices : tuple of str
        What was changed or assumed.
    """

    place: Place
    information: str
    load: float | None
    status: str
    reason: str
    stable: bool | None
    growth_per_s: float
    settings: str
    shown: Mapping[str, float]
    is_bounded: bool
    best: Mapping[str, Bound]
    gaps: Mapping[str, float]
    notices: tuple[str, ...]


def finished(found: Paired) -> Iterator[Finished]:
    """Yield the finished places in the order of the plan."""
    places, names, bounds = found.places, found.names, found.bounds
    columns = ("information", "load", "status", "reason", "stable", "growth_per_s", "settings", "notices")
    best = bounds.by_path()
    order = np.lexsort((bounds.order[bounds.beside(found.gaps.keys, found.paths)], found.gaps.keys // names.stride))
    gaps = _by_place(found, found.gaps.keys[order], found.gaps.values[order])
    is_bounded = np.isin(found.paths, bounds.bounded).tolist()
    rows = zip(*(places.column(name).to_pylist() for name in columns), strict=True)
    labels = places.labels.select(Place._fields).to_pydict()
    where = map(Place, *(labels[name] for name in Place._fields))
    shown = _by_place(found, found.shown.keys, found.shown.values)
    every = zip(where, rows, shown, gaps, found.paths.tolist(), is_bounded, strict=True)
    for place, (
        information,
        load,
        status,
        reason,
        stable,
        growth_per_s,
        settings,
        notices,
    ), row, gap, path, any_bound in every:
        yield Finished(
            place,
            information or "",
            load,
            status,
            reason,
            stable,
            growth_per_s or 0.0,
            settings,
            row,
            any_bound,
            best.get(path, {}),
            gap,
            tuple(notices),
        )


def _by_place(found: Paired, keys: Whole, values: Floats) -> Iterator[dict[str, float]]:
    """A dictionary for each place, of entries that are in the order of places."""
    place, metric = np.divmod(keys, found.names.stride)
    names, numbers = found.names.array[metric].tolist(), values.tolist()
    starts = np.searchsorted(place, np.arange(len(found.places) + 1)).tolist()
    for start, end in pairwise(starts):
        yield dict(zip(names[start:end], numbers[start:end], strict=True))
