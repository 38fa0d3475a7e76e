"""What an experiment consists of: every task with its place, so that tables need neither its code nor its traces."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from experiments.results.place import Place
from experiments.results.sealed import DamagedError, opened, sealed
from orsched.atomic import replacing

MOST_BYTES = 2**30
_KEY = b"orsched_plan"

SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("kind", pa.string()),
        ("workload", pa.string()),
        ("fleet", pa.string()),
        ("policy", pa.string()),
        ("predictor", pa.string()),
        ("axis", pa.string()),
        ("point", pa.float64()),
        ("seed", pa.int64()),
        ("replication", pa.int64()),
        ("requests", pa.int64()),
    ]
)
"""``task`` and the fields of `Place`, in the order of the specification."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The tasks of an experiment.

    Parameters
    ----------
    spec : str
        Key of the specification.
    code : str
        Version of the code that computes the tasks.
    table : pyarrow.Table
        Of `SCHEMA`.
    """

    spec: str
    code: str
    table: pa.Table

    @classmethod
    def of(cls, spec: str, code: str, tasks: Iterable[tuple[str, Place]]) -> Plan:
        """A plan of ids and places."""
        columns = list(zip(*((task, *place) for task, place in tasks), strict=True)) or [()] * len(SCHEMA)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        return cls(spec, code, pa.Table.from_arrays(arrays, schema=SCHEMA))

    def tasks(self) -> list[str]:
        """The ids, each once, in order."""
        return list(dict.fromkeys(self.table["task"].to_pylist()))

    def places(self) -> list[tuple[str, Place]]:
        """Ids and places, in order."""
        columns = self.table.to_pydict()
        rows = zip(*(columns[name] for name in SCHEMA.names), strict=True)
        return [(task, Place(*place)) for task, *place in rows]

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        note = json.dumps({"spec": self.spec, "code": self.code}).encode()
        data = sealed(self.table, "zstd", {_KEY: note})
        with replacing(path) as part:
            part.write_bytes(data)


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises
    ------
    DamagedError
        When the file is not as it was written, or no plain file.
    FileNotFoundError
        When there is none.
    """
    if path.exists() and not path.is_file():
        raise DamagedError(f"{path}: no plain file")
    try:
        with opened(path, MOST_BYTES) as file:
            table = file.read()
        note = json.loads(table.schema.metadata[_KEY])
        plan = Plan(str(note["spec"]), str(note["code"]), table.replace_schema_metadata(None).cast(SCHEMA))
    except DamagedError:
        raise
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{path}: not a plan ({str(error)[:200]})") from None
    return plan
