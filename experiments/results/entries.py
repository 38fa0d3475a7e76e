"""Maps and lists of many rows as long columns, one entry after the other, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orsched.metrics import METRICS

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]

_ORDER = {name: place for place, name in enumerate(METRICS)}


@dataclass(frozen=True, slots=True, eq=False)
class Exploded:
    """What stands in some rows of a column of lists or maps.

    Parameters
    ----------
    rows : ndarray of int, shape (elements,)
        Which of the rows, counted from 0 as they were asked for; never decreasing.
    at : ndarray of int, shape (elements,)
        Where in `elements`.
    elements : pyarrow.ChunkedArray
        Those of all rows; those of maps are structs of a key and a value.
    """

    rows: Whole
    at: Whole
    elements: pa.ChunkedArray

    @classmethod
    def of(cls, column: pa.ChunkedArray, rows: Whole) -> Exploded:
        """Take apart the `rows` of `column`, in their order and as often as they are named."""
        chunks = column.chunks or [pa.array([], column.type)]
        offsets = [chunk.offsets.to_numpy() for chunk in chunks]  # of the whole array, wherever the chunk starts
        elements = pa.chunked_array(
            [chunk.values[int(at[0]) : int(at[-1])] for chunk, at in zip(chunks, offsets, strict=True)]
        )
        lengths = np.concatenate([np.diff(at) for at in offsets]).astype(np.int64)
        starts = np.cumsum(lengths) - lengths
        of_rows = lengths[rows]
        before = np.cumsum(of_rows) - of_rows
        at = np.repeat(starts[rows] - before, of_rows) + np.arange(of_rows.sum())
        return cls(np.repeat(np.arange(len(rows)), of_rows), at, elements)

    def field(self, place: int) -> pa.ChunkedArray:
        """One field of elements that are structs, of all rows."""
        return pc.struct_field(self.elements, place)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of metrics, numbered from 1 in the order of tables: as in the catalogue, then by the alphabet.

    Parameters
    ----------
    known : tuple of str
        In that order; number 0 is of rows without a metric.
    """

    known: tuple[str, ...]

    @classmethod
    def of(cls, columns: Iterable[pa.ChunkedArray]) -> Names:
        """All names that stand in `columns`."""
        found = {name for column in columns for name in pc.unique(column).to_pylist() if name is not None}
        return cls(tuple(sorted(found, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))))

    @property
    def stride(self) -> int:
        """What a row's number is multiplied by in a key."""
        return len(self.known) + 1

    @property
    def array(self) -> NDArray[np.object_]:
        """The names by their numbers."""
        return np.array([None, *self.known], dtype=object)

    def keys(self, rows: Whole, names: pa.ChunkedArray, at: Whole) -> Whole:
        """One number for each pair of a row and a name: they sort by row, then in the order of tables.

        Parameters
        ----------
        rows, at : ndarray of int, shape (pairs,)
            The row of each pair, and where in `names` its name is.
        names : pyarrow.ChunkedArray
            Of text.
        """
        places = pc.index_in(names, value_set=pa.array(self.known, pa.string()))
        numbers: Whole = pc.add(pc.fill_null(places, -1), 1).to_numpy().astype(np.int64)
        return rows * self.stride + numbers[at]


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """A number for some pairs of a row and a metric.

    Parameters
    ----------
    keys : ndarray of int, shape (entries,)
        Of `Names.keys`, increasing.
    values : ndarray of float, shape (entries,)
        The numbers.
    """

    keys: Whole
    values: Floats

    @classmethod
    def of(cls, keys: Whole, values: Floats) -> Entries:
        """Entries in any order; of several with one key the last counts, as in a dictionary."""
        if (np.diff(keys) <= 0).any():
            order = np.argsort(keys, kind="stable")
            keys, values = keys[order], values[order]
            last = np.append(keys[1:] != keys[:-1], True)
            keys, values = keys[last], values[last]
        return cls(keys, values)

    @classmethod
    def of_maps(cls, found: Exploded, names: Names) -> Entries:
        """Entries of maps from names to numbers."""
        values: Floats = found.field(1).to_numpy()
        return cls.of(names.keys(found.rows, found.field(0), found.at), values[found.at])

    def at(self, keys: Whole) -> Floats:
        """The numbers of `keys`, not a number where there is none."""
        if np.array_equal(keys, self.keys):
            return self.values.copy()
        return np.append(self.values, np.nan)[looked_up(self.keys, keys)]


def increasing(*keys: Whole) -> Whole:
    """Every key once, in order; fastest where `keys` are in order already."""
    found = np.sort(np.concatenate(keys), kind="stable")
    is_first: NDArray[np.bool_] = np.append(True, np.diff(found) > 0)[: len(found)]
    return found[is_first]


def looked_up(keys: Whole, wanted: Whole) -> Whole:
    """Where `wanted` stand in the increasing `keys`; -1 for what does not."""
    if not len(keys):
        return np.full(len(wanted), -1)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)
