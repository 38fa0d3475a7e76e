"""Every policy's outcome beside the bounds of the very path it served, columnwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from experiments.results.entries import Entries, Names, Whole
from experiments.results.path_bounds import PathBounds
from experiments.results.path_gaps import path_gaps
from experiments.results.place import Place
from experiments.results.places import Places, numbered_paths
from experiments.results.plan import Plan
from orsched.errors import InputError

COLUMNS = (
    *("task", "kind", "information", "load", "status", "reason", "stable", "growth_per_s", "settings", "metrics"),
    *("shown", "comparable", "clock_s", "subject", "bounds", "notices"),
)
"""What pairing needs of a finished task."""


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """The finished places of policies, in the order of the plan.

    Parameters
    ----------
    places : Places
        Their labels and finished tasks.
    paths : ndarray of int, shape (places,)
        Number of the sample path of each.
    names : Names
        Of all metrics; a key of an entry is that of a place, counted from 0, and a metric.
    whole, shown : Entries
        Metrics of the whole path, which bounds are about, and after the warm-up.
    gaps : Entries
        Of each metric that has a best bound and may be compared with it.
    bounds : PathBounds
        The best ones of each path.
    """

    places: Places
    paths: Whole
    names: Names
    whole: Entries
    shown: Entries
    gaps: Entries
    bounds: PathBounds


def paired(plan: Plan, rows: pa.Table) -> Paired:
    """Pair what is finished.

    Parameters
    ----------
    plan : Plan
        Which tasks, and where they stand.
    rows : pyarrow.Table
        Finished tasks, with `COLUMNS` at least; those that the plan does not have are left out.

    Raises
    ------
    InputError
        When a metric or a bound is no finite number, or a bound of no known kind.
    MismatchError
        When bounds are of another path or fleet than what they are beside, or a policy did better than a pathwise
        bound allows.
    """
    bounding, places = (Places.of(plan, rows, kind) for kind in ("bound", "serve"))
    bounded, paths = numbered_paths(bounding, places)
    bounded, last = np.unique(bounded[::-1], return_index=True)  # of two tasks that bound one path the last counts
    bounding = bounding.taken(len(bounding) - 1 - last)
    whole, shown, bounds = places.exploded("metrics"), places.exploded("shown"), bounding.exploded("bounds")
    names = Names.of([whole.field(0), shown.field(0), bounds.field(1)])
    best = PathBounds.of(names, bounded, bounds, bounding.column("subject"))
    of_whole, of_shown = Entries.of_maps(whole, names), Entries.of_maps(shown, names)
    for entries in (of_whole, of_shown):
        _require_finite(places, names, entries)
    gaps = path_gaps(places, paths, of_whole, best)
    return Paired(places, paths, names, of_whole, of_shown, gaps, best)


def _require_finite(places: Places, names: Names, entries: Entries) -> None:
    for wrong in np.flatnonzero(~np.isfinite(entries.values))[:1]:
        place, metric = divmod(int(entries.keys[wrong]), names.stride)
        one = Place(**places.labels.select(Place._fields).slice(place, 1).to_pylist()[0])
        raise InputError(
            f"{one.policy} on {one.workload}, {one.fleet}, {one.axis} {one.point:g}, seed {one.seed}, replication "
            f"{one.replication}: {names.array[metric]} is {entries.values[wrong]}, must be a finite number"
        )
