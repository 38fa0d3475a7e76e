"""Finished places of a plan beside the rows of their tasks, wherever these are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from experiments.results.entries import Exploded, Whole
from experiments.results.plan import Plan

_PATH = ("workload", "fleet", "axis", "point", "seed", "replication", "requests")


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The finished places of one kind, in the order of the plan.

    Parameters
    ----------
    labels : pyarrow.Table, shape (places, ...)
        Their rows of the plan.
    at : ndarray of int, shape (places,)
        Their tasks' rows of `stored`.
    stored : pyarrow.Table
        Finished tasks in any order.
    """

    labels: pa.Table
    at: Whole
    stored: pa.Table

    @classmethod
    def of(cls, plan: Plan, rows: pa.Table, kind: str) -> Places:
        """Find the places of `kind` whose tasks are in `rows`."""
        at = pc.index_in(plan.table["task"], value_set=rows["task"].combine_chunks())
        chosen = pc.and_(pc.is_valid(at), pc.equal(plan.table["kind"], kind))
        return cls(plan.table.filter(chosen), at.filter(chosen).to_numpy().astype(np.int64), rows)

    def __len__(self) -> int:
        return len(self.at)

    def taken(self, places: Whole) -> Places:
        """Some of them."""
        return Places(self.labels.take(pa.array(places)), self.at[places], self.stored)

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of the plan or else of the finished tasks."""
        if name in self.labels.column_names:
            return self.labels[name]
        return self.stored[name].take(pa.array(self.at))

    def exploded(self, name: str) -> Exploded:
        """What stands in a column of lists or maps of the finished tasks."""
        return Exploded.of(self.stored[name], self.at)


def numbered_paths(*several: Places) -> tuple[Whole, ...]:
    """A number for the sample path of each place, the same for the same path."""
    table = pa.concat_tables([places.labels.select(_PATH) for places in several])
    found = np.zeros(len(table), np.int64)
    for column in table.columns:
        codes = pc.dictionary_encode(column, null_encoding="encode").combine_chunks()
        found = found * (len(codes.dictionary) + 1) + codes.indices.to_numpy()
        found = np.unique(found, return_inverse=True)[1].astype(np.int64)
    return tuple(np.split(found, np.cumsum([len(places) for places in several])[:-1]))
