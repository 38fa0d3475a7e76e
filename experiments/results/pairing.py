"""Every policy's outcome beside the bounds of the very path it served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from experiments.pathwise_gaps import best_bounds, pathwise_gaps
from experiments.results.place import Place
from experiments.results.plan import Plan
from orsched.bound import Bound

COLUMNS = (
    *("task", "kind", "information", "load", "status", "reason", "stable", "growth_per_s", "settings", "metrics"),
    *("shown", "comparable", "clock_s", "subject", "bounds", "notices"),
)
"""What pairing needs of a finished task."""


@dataclass(frozen=True, slots=True)
class Paired:
    """One finished place of one policy.

    Parameters
    ----------
    task : str
        Id.
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
    whole, shown : mapping of str to float
        Metrics of the whole path, which bounds are about, and after the warm-up.
    bounds : tuple of Bound
        All of the path; empty where they were not computed.
    best : mapping of str to Bound
        The best valid one of each metric.
    gaps : mapping of str to float
        Of each metric that has a best bound and may be compared with it.
    notices : tuple of str
        What was changed or assumed.
    """

    task: str
    place: Place
    information: str
    load: float | None
    status: str
    reason: str
    stable: bool | None
    growth_per_s: float
    settings: str
    whole: Mapping[str, float]
    shown: Mapping[str, float]
    bounds: tuple[Bound, ...]
    best: Mapping[str, Bound]
    gaps: Mapping[str, float]
    notices: tuple[str, ...]


def paired(plan: Plan, rows: pa.Table) -> list[Paired]:
    """Pair what is finished, in the order of the plan.

    Parameters
    ----------
    plan : Plan
        Which tasks, and where they stand.
    rows : pyarrow.Table
        Finished tasks, with `COLUMNS` at least; those that the plan does not have are left out.

    Raises
    ------
    MismatchError
        When bounds are of another path or fleet than what they are beside, or a policy did better than a pathwise
        bound allows.
    """
    columns = {name: rows[name].to_pylist() for name in COLUMNS if name not in ("metrics", "shown")}
    columns |= {name: mappings(rows[name]) for name in ("metrics", "shown")}
    at = {task: row for row, task in enumerate(columns["task"])}
    places = [(task, place) for task, place in plan.places() if task in at]
    bounds: dict[tuple[object, ...], tuple[tuple[Bound, ...], dict[str, Bound]]] = {}
    for task, place in places:
        if place.kind == "bound":
            found = tuple(Bound(subject=columns["subject"][at[task]], **bound) for bound in columns["bounds"][at[task]])
            bounds[place.path] = found, best_bounds(found)
    result = []
    for task, place in places:
        if place.kind != "serve":
            continue
        row = at[task]
        of_path, best = bounds.get(place.path, ((), {}))
        whole = columns["metrics"][row]
        gaps = pathwise_gaps(
            best,
            whole,
            columns["comparable"][row],
            policy=place.policy or "",
            subject=columns["subject"][row],
            clock_s=columns["clock_s"][row] or 0.0,
        )
        result.append(
            Paired(
                task,
                place,
                columns["information"][row] or "",
                columns["load"][row],
                columns["status"][row],
                columns["reason"][row],
                columns["stable"][row],
                columns["growth_per_s"][row] or 0.0,
                columns["settings"][row],
                whole,
                columns["shown"][row],
                of_path,
                best,
                gaps,
                tuple(columns["notices"][row]),
            )
        )
    return result


def mappings(column: pa.ChunkedArray) -> list[dict[str, float]]:
    """A column of maps as dictionaries, much faster than `to_pylist`."""
    found: list[dict[str, float]] = []
    for chunk in column.chunks:
        keys, items = chunk.keys.to_pylist(), chunk.items.to_pylist()  # of the whole array, wherever the chunk starts
        for start, end in pairwise(chunk.offsets.to_pylist()):
            found.append(dict(zip(keys[start:end], items[start:end], strict=True)))
    return found
