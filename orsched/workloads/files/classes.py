"""The classes that a file in our own column names may carry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from orsched.errors import InputError
from orsched.request import SLO, RequestClass
from orsched.work import Floats, Ints
from orsched.workloads.files.cells import Cells

_MOST_CLASSES = 10_000


def read_classes(cells: Cells, written: Mapping[str, str], rows: int) -> tuple[Ints, tuple[RequestClass, ...]]:
    """Read the class of each request from the columns of `dialects.CLASS_COLUMNS` that are there.

    With names alone, ids follow the order of first appearance; with ids alone, class ``i`` is called
    ``class-i``, as is an id below the largest that no row has.

    Returns
    -------
    ndarray of int64
        Class of each request, shape ``(rows,)``.
    tuple of RequestClass
        The classes.

    Raises
    ------
    InputError
        At the first row that is no class, or that gives a class another name or objective than before.
    """
    names = cells.names(written["class"]) if "class" in written else None
    if "class_id" in written:
        ids = cells.whole(written["class_id"], least=0, most=_MOST_CLASSES - 1)
    else:
        ids = _by_appearance(names) if names is not None else np.zeros(rows, dtype=np.int64)
    ttft, tpot = (_objective(cells, written, column, rows) for column in ("ttft_slo_s", "tpot_slo_s"))
    present, first = np.unique(ids, return_index=True)
    first_of = np.zeros(int(ids.max()) + 1, dtype=np.int64)
    first_of[present] = first
    classes = [RequestClass(f"class-{i}") for i in range(len(first_of))]
    for column, values in (("class", names), ("ttft_slo_s", ttft), ("tpot_slo_s", tpot)):
        if values is not None and column in written:
            _check_constant(cells, written[column], values, first_of[ids])
    for class_id, row in zip(present, first, strict=True):
        name = f"class-{class_id}" if names is None else str(names[row])
        classes[class_id] = RequestClass(name, _slo(cells, written, int(row), ttft[row], tpot[row]))
    return ids, tuple(classes)


def _by_appearance(names: NDArray[np.object_]) -> Ints:
    known: dict[str, int] = {}
    ids = np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
    if len(known) > _MOST_CLASSES:
        raise InputError(f"column class has {len(known)} different names: at most {_MOST_CLASSES} classes")
    return ids


def _objective(cells: Cells, written: Mapping[str, str], column: str, rows: int) -> Floats:
    return cells.optional(written[column]) if column in written else np.full(rows, np.nan)


def _check_constant(cells: Cells, column: str, values: NDArray[np.object_] | Floats, first: Ints) -> None:
    """Refuse a row whose value differs from that of the first row of its class (two NaN are equal)."""
    before = values[first]
    other = (values != before) & ((values == values) | (before == before))
    if other.any():
        row = int(np.argmax(other))
        raise cells.refuse(row, column, f"{values[row]} but row {first[row] + 1} of the same class has {before[row]}")


def _slo(cells: Cells, written: Mapping[str, str], row: int, ttft_s: float, tpot_s: float) -> SLO | None:
    if np.isnan(ttft_s) and np.isnan(tpot_s):
        return None
    try:
        return SLO(float(ttft_s), float(tpot_s))
    except InputError as error:
        column = written.get("ttft_slo_s", written.get("tpot_slo_s", "ttft_slo_s"))
        raise cells.refuse(row, column, f"{error} (give both objectives or neither)") from None
