"""Gaps of many policies to the best bounds of their paths: `experiments.comparison.pathwise_gaps`, columnwise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow.compute as pc

from experiments.comparison.pathwise_gaps import CLOCK, TOLERANCE, pathwise_gaps
from experiments.results.entries import Entries, Floats, Whole, increasing, looked_up
from experiments.results.path_bounds import PathBounds
from experiments.results.places import Places
from orsched.bound import Bound


def path_gaps(places: Places, paths: Whole, whole: Entries, bounds: PathBounds) -> Entries:
    """Gap of every metric that has a bound and may be compared with it.

    The arithmetic is that of `orsched.bound.Bound.gap`, number by number. Places where something is wrong are given to
    `experiments.comparison.pathwise_gaps.pathwise_gaps`, which says what.

    Parameters
    ----------
    places : Places
        Of policies.
    paths : ndarray of int, shape (places,)
        Number of the sample path of each place.
    whole : Entries
        What was measured over the whole path, by place and metric.
    bounds : PathBounds
        By path and metric.

    Raises
    ------
    MismatchError
        When a bound is of another subject, or a policy did better than a pathwise bound allows.
    """
    allowed = places.exploded("comparable")
    comparable = increasing(bounds.names.keys(allowed.rows, allowed.elements, allowed.at))
    best = bounds.beside(whole.keys, paths)
    compared = np.flatnonzero((best >= 0) & (looked_up(comparable, whole.keys) >= 0))
    keys, best, values = whole.keys[compared], best[compared], whole.values[compared]
    place, table = keys // bounds.names.stride, bounds.best
    of_bound: Floats = table["value"].to_numpy()[best]
    is_lower = pc.equal(table["sense"], "lower").to_numpy()[best]
    gaps: Floats = np.where(is_lower, values - of_bound, of_bound - values) / of_bound
    clock_s: Floats = pc.fill_null(places.column("clock_s"), 0.0).to_numpy()[place]
    is_pathwise = pc.equal(table["validity"], "pathwise").to_numpy()[best]
    beaten = is_pathwise & (gaps < -TOLERANCE - CLOCK * clock_s / of_bound)
    subjects = pc.unique(places.column("subject"))
    ours, theirs = (
        pc.fill_null(pc.index_in(of, subjects), -1).to_numpy() for of in (places.column("subject"), table["subject"])
    )
    wrong = increasing(place[beaten | (ours[place] != theirs[best])])
    of_paths = bounds.by_path() if len(wrong) else {}
    for one in wrong.tolist():
        _require_gaps(places.taken(np.array([one])), of_paths[paths[one]])
    return Entries(keys, gaps)


def _require_gaps(place: Places, best: Mapping[str, Bound]) -> None:
    """Compute the gaps of one place in the plain way, for what that raises."""
    names = ("metrics", "comparable", "policy", "subject", "clock_s")
    (metrics,), (comparable,), (policy,), (subject,), (clock_s,) = (place.column(name).to_pylist() for name in names)
    pathwise_gaps(best, dict(metrics), comparable, policy=policy or "", subject=subject, clock_s=clock_s or 0.0)
