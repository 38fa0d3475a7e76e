"""What a run consists of when it is written down, and the checks on what is read back."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orsched.checks import shown
from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.run import Run

Columns = dict[str, NDArray[Any]]

VERSION = 3
"""Of the header. Version 1 had no energy, version 2 no fleets of several kinds; both are still read."""

REQUEST_COLUMNS = {
    "arrival_s": "float64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "first_scheduled_s": "float64",
    "first_token_s": "float64",
    "completion_s": "float64",
    "preemptions": "int64",
    "instance": "int64",
    "rejected": "int64",
    "restarts": "int64",
    "migrations": "int64",
}
"""One row per request: names, types, order. A time that never came is NaN."""

OBJECTIVE_COLUMNS = {"class_id": "int64", "ttft_limit_s": "float64", "tpot_limit_s": "float64"}
"""Class and limits of each request, in files whose header names ``classes``: those of runs with objectives."""

LATENESS_COLUMN = {"lateness_s": "float64"}
"""How late each request was, in files whose header has ``lateness``, true; infinite without a completion."""

FLEET_COLUMNS = ("rejected", "restarts", "migrations")
"""Those that came with version 3; zero in files from before."""

INSTANCE_COLUMNS = {
    "busy_s": "float64",
    "batch_s": "float64",
    "kv_token_s": "float64",
    "iterations": "int64",
    "kv_capacity_tokens": "int64",
    "max_num_seqs": "int64",
    "on_s": "float64",
}
"""One number per instance."""

OPTIONAL_COLUMNS = {"energy_j": "float64"}
"""One number per instance, or none at all: null in the header, None in the run."""

TEXTS = ("policy", "information", "workload", "fleet")
COUNTS = ("kv_capacity_tokens", "max_num_seqs")
"""At least one for every instance; before version 3 one number for all."""
NOT_KEPT = ("token_gaps", "log")
"""What a file does not hold: the records of iterations and of the fleet."""

_KEPT = {*REQUEST_COLUMNS, *LATENESS_COLUMN, *INSTANCE_COLUMNS, *OPTIONAL_COLUMNS, *TEXTS, "objectives"}
assert {f.name for f in fields(Run)} == _KEPT | set(NOT_KEPT)

_LEAST = {"input_tokens": 1, "output_tokens": 1} | dict.fromkeys(("preemptions", "instance", *FLEET_COLUMNS), 0)
_LIFE = ("arrival_s", "first_scheduled_s", "first_token_s", "completion_s")


def request_columns(run: Run) -> Columns:
    """Gather the columns of the requests, each of shape ``(n,)``."""
    kinds = REQUEST_COLUMNS if run.lateness_s is None else REQUEST_COLUMNS | LATENESS_COLUMN
    found: Columns = {name: np.asarray(getattr(run, name), dtype=kind) for name, kind in kinds.items()}
    if (limits := run.objectives) is not None:
        values = (limits.class_id, limits.ttft_s, limits.tpot_s)
        found |= {
            name: np.asarray(column, dtype=kind)
            for (name, kind), column in zip(OBJECTIVE_COLUMNS.items(), values, strict=True)
        }
    return found


def header_text(run: Run) -> str:
    """Write everything else as one line of JSON; floats survive exactly."""
    scalars = {name: getattr(run, name) for name in TEXTS}
    arrays = {name: getattr(run, name).tolist() for name in INSTANCE_COLUMNS}
    optional = {name: None if (v := getattr(run, name)) is None else v.tolist() for name in OPTIONAL_COLUMNS}
    more: dict[str, Any] = {} if run.objectives is None else {"classes": list(run.objectives.names)}
    if run.lateness_s is not None:
        more["lateness"] = True
    return json.dumps({"version": VERSION, **scalars, **arrays, **optional, **more}, allow_nan=False)


def read_header(text: str) -> dict[str, Any]:
    """Parse a header and check its version, which stays in it.

    Raises
    ------
    InputError
        When it is no header.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("the header is not JSON") from None
    version = found.get("version") if isinstance(found, dict) else None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise InputError(f"the header is not of version 1 to {VERSION}")
    return dict(found)


def columns_of(header: dict[str, Any]) -> dict[str, str]:
    """Names and types of the columns of the requests that belong to a header."""
    if header["version"] < 3:
        return {name: kind for name, kind in REQUEST_COLUMNS.items() if name not in FLEET_COLUMNS}
    found = dict(REQUEST_COLUMNS)
    if "lateness" in header:
        found |= LATENESS_COLUMN
    if "classes" in header:
        found |= OBJECTIVE_COLUMNS
    return found


def build_run(header: dict[str, Any], columns: Columns) -> Run:
    """Put a run together from what was read, and check all of it.

    Raises
    ------
    InputError
        Naming the field or the column and row that cannot be right.
    """
    found = dict(header)
    version = found.pop("version")
    if version < 3:
        found, columns = (
            _modern(version, found),
            columns | {name: np.zeros(len(columns["arrival_s"]), dtype=np.int64) for name in FLEET_COLUMNS},
        )
    known = {*TEXTS, *INSTANCE_COLUMNS, *OPTIONAL_COLUMNS} | ({"classes", "lateness"} & found.keys())
    if found.keys() != known:
        raise InputError(f"header fields {sorted(found.keys() ^ known)} are missing or unknown")
    for name in TEXTS:
        if not isinstance(found[name], str):
            raise InputError(f"header field {name!r} = {found[name]!r}: must be a text")
    arrays = {name: _array(name, found[name], kind) for name, kind in INSTANCE_COLUMNS.items()}
    for name in COUNTS:
        if (arrays[name] < 1).any():
            raise InputError(f"header field {name!r}: every number must be a whole number >= 1")
    arrays |= {
        name: _array(name, found[name], kind) for name, kind in OPTIONAL_COLUMNS.items() if found[name] is not None
    }
    sizes = {len(values) for values in arrays.values()}
    if len(sizes) != 1:
        raise InputError(f"header fields {list(arrays)} differ in length")
    _check_requests(columns, sizes.pop())
    objectives = _objectives(found["classes"], columns) if "classes" in found else None
    if "lateness" in found:
        _check_lateness(found["lateness"], columns)
    if version < 3:
        last_s = np.fmax(np.fmax.reduce(columns["completion_s"]), columns["arrival_s"][-1])
        arrays["on_s"] = np.full_like(arrays["busy_s"], last_s - columns["arrival_s"][0])
    idle = arrays["busy_s"] > arrays["on_s"] * (1 + 1e-6)
    if version >= 3 and idle.any():
        raise InputError(f"header field 'on_s': instance {int(np.argmax(idle))} was busy for longer than it was on")
    own = {name: column for name, column in columns.items() if name not in OBJECTIVE_COLUMNS}
    values: dict[str, Any] = {name: found[name] for name in TEXTS} | arrays | own
    return Run(**values, objectives=objectives)


def _objectives(names: object, columns: Columns) -> Objectives:
    """What the requests were to meet, from what was read."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"header field 'classes' = {shown(names)}: must be a list of names")
    class_id, ttft_s, tpot_s = (columns[name] for name in OBJECTIVE_COLUMNS)
    return Objectives(ttft_s, tpot_s, class_id, tuple(names))


def _check_lateness(told: object, columns: Columns) -> None:
    if told is not True:
        raise InputError(f"header field 'lateness' = {shown(told)}: must be true, or left out")
    late, completed = columns["lateness_s"], ~np.isnan(columns["completion_s"])
    wrong = np.isnan(late) | np.isneginf(late) | (np.isposinf(late) == completed)
    _refuse("lateness_s", late, wrong, "must be finite if the request completed, and infinite if not")


def _modern(version: int, found: dict[str, Any]) -> dict[str, Any]:
    """The header of a run before version 3, as it would be written now: identical instances that were always on."""
    newer = {"on_s", "classes", "lateness"} | (set(OPTIONAL_COLUMNS) if version == 1 else set())
    for name in sorted(newer & found.keys()):
        raise InputError(f"header field {name!r} is unknown in version {version}")
    for name in COUNTS:
        if type(found.get(name)) is not int or found[name] < 1:
            raise InputError(f"header field {name!r} = {found.get(name)!r}: must be a whole number >= 1")
    size = len(found["busy_s"]) if isinstance(found.get("busy_s"), list) else 1
    return (
        found
        | dict.fromkeys(newer & set(OPTIONAL_COLUMNS))
        | {
            **{name: [found[name]] * size for name in COUNTS},
            "on_s": [0.0] * size,
        }
    )


def _array(name: str, values: object, kind: str) -> NDArray[Any]:
    allowed = (int,) if kind == "int64" else (int, float)
    if not isinstance(values, list) or not values or any(type(v) not in allowed for v in values):
        raise InputError(f"header field {name!r}: must be a list of {kind} numbers, one per instance")
    try:
        array = np.array(values, dtype=kind)
    except OverflowError:
        raise InputError(f"header field {name!r}: a number is out of range") from None
    if not (np.isfinite(array) & (array >= 0)).all():
        raise InputError(f"header field {name!r}: must be finite and >= 0")
    return array


def _check_requests(columns: Columns, instances: int) -> None:
    if len(columns["arrival_s"]) == 0:
        raise InputError("a run needs at least one request")
    for name, least in _LEAST.items():
        _refuse(name, columns[name], columns[name] < least, f"must be >= {least}")
    rejected, completed = columns["rejected"], ~np.isnan(columns["completion_s"])
    _refuse("rejected", rejected, (rejected > 1) | ((rejected == 1) & completed), "must be 0, or 1 and not completed")
    beyond = columns["instance"] >= instances
    _refuse("instance", columns["instance"], beyond, f"there are {instances} instances")
    arrival = columns["arrival_s"]
    _refuse("arrival_s", arrival, ~(np.isfinite(arrival) & (arrival >= 0)), "must be finite and >= 0")
    backwards = np.diff(arrival, prepend=arrival[0]) < 0
    _refuse("arrival_s", arrival, backwards, "arrivals must be in order of time")
    for earlier, later in pairwise(_LIFE):
        after = columns[later]
        wrong = np.isinf(after) | ~(np.isnan(after) | (after >= columns[earlier]))
        _refuse(later, after, wrong, f"must be finite and not before {earlier}")


def _refuse(name: str, values: NDArray[Any], wrong: NDArray[np.bool_], why: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"column {name!r} row {row} = {values[row]}: {why}")
