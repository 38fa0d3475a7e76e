"""Bounds of many sample paths as columns, and the best valid one on each metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.results.entries import Exploded, Floats, Names, Whole, increasing, looked_up
from experiments.results.schema import BOUND
from orsched.bound import Bound, Sense, Validity
from orsched.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class PathBounds:
    """The best bounds of every path, chosen as `experiments.comparison.pathwise_gaps.best_bounds` does for one.

    Parameters
    ----------
    names : Names
        Of the metrics.
    bounded : ndarray of int, shape (bounded paths,)
        Numbers of the paths that have any bound, increasing.
    keys : ndarray of int, shape (best,)
        Path and metric of each best bound (`Names.keys`), increasing.
    order : ndarray of int, shape (best,)
        Increases, for the bounds of one path, in the order in which their metrics are first bounded there.
    best : pyarrow.Table
        The best bounds: the fields of `experiments.results.schema.BOUND`, and ``subject``.
    """

    names: Names
    bounded: Whole
    keys: Whole
    order: Whole
    best: pa.Table

    @classmethod
    def of(cls, names: Names, paths: Whole, found: Exploded, subjects: pa.ChunkedArray) -> PathBounds:
        """Choose the best bounds.

        Parameters
        ----------
        names : Names
            Of the metrics.
        paths : ndarray of int, shape (tasks,)
            Number of the path of each task; no path twice.
        found : Exploded
            The bounds of the tasks.
        subjects : pyarrow.ChunkedArray, shape (tasks,)
            What they are of.

        Raises
        ------
        InputError
            When a bound is not a finite number, or its sense or validity is none that there is.
        """
        table = bounds_table(found).append_column("subject", subjects.take(pa.array(found.rows)))
        values: Floats = table["value"].to_numpy()
        for place in np.flatnonzero(~np.isfinite(values))[:1]:
            Bound(**table.slice(place, 1).to_pylist()[0])  # says which
        for field, known in (("sense", get_args(Sense)), ("validity", get_args(Validity))):
            for place in np.flatnonzero(pc.invert(pc.is_in(table[field], value_set=pa.array(known))).to_numpy())[:1]:
                one = table.slice(place, 1).to_pylist()[0]
                raise InputError(
                    f"bound {one['name']!r} on {one['metric']} has {field} {one[field]!r}: must be {' or '.join(known)}"
                )
        keys = names.keys(paths[found.rows], table["metric"], np.arange(len(table)))
        bounded, first = np.unique(keys, return_index=True)
        valid = np.flatnonzero(pc.not_equal(table["validity"], "asymptotic").to_numpy())
        tightness = np.where(pc.equal(table["sense"], "lower").to_numpy(), values, -values)
        valid = valid[np.lexsort((-tightness[valid], keys[valid]))]  # of equally tight ones the first stays first
        best = valid[np.append(True, np.diff(keys[valid]) > 0)[: len(valid)]]
        best = best[values[best] > 0]
        order = first[np.searchsorted(bounded, keys[best])]
        return cls(names, increasing(paths[found.rows]), keys[best], order, table.take(pa.array(best)))

    def beside(self, keys: Whole, paths: Whole) -> Whole:
        """Rows of `best` for places and metrics; -1 where no bound has a relative gap.

        Parameters
        ----------
        keys : ndarray of int
            Places and metrics (`Names.keys`).
        paths : ndarray of int, shape (places,)
            Number of the path of each place.
        """
        places, metrics = np.divmod(keys, self.names.stride)
        return looked_up(self.keys, paths[places] * self.names.stride + metrics)

    def by_path(self) -> dict[int, dict[str, Bound]]:
        """The best bounds of each path by metric, in the order in which these are first bounded there."""
        paths = self.keys // self.names.stride
        rows = np.lexsort((self.order, paths))
        columns = {name: self.best[name].take(pa.array(rows)).to_pylist() for name in self.best.column_names}
        found: dict[int, dict[str, Bound]] = {}
        for path, *values in zip(paths[rows].tolist(), *columns.values(), strict=True):
            bound = Bound(**dict(zip(columns, values, strict=True)))
            found.setdefault(path, {})[bound.metric] = bound
        return found


def bounds_table(found: Exploded) -> pa.Table:
    """A row per bound."""
    fields = [found.field(place).take(pa.array(found.at)) for place in range(BOUND.num_fields)]
    return pa.Table.from_arrays(fields, schema=pa.schema(list(BOUND)))
