"""A results folder: finished tasks in loose parts and segments, failures, the plan and the specification."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from experiments.results.failures import Failure, Failures
from experiments.results.marker import NAME, require_marker, write_marker
from experiments.results.parts import Parts
from experiments.results.plan import Plan, read_plan
from experiments.results.schema import SCHEMA
from experiments.results.sealed import DamagedError
from experiments.results.segments import Segments
from orsched.errors import InputError

if TYPE_CHECKING:
    from filelock import FileLock

Found = TypeVar("Found")

SPECIFICATION = "experiment.toml"
PLAN = "plan.parquet"
_FOLDERS = ("parts", "segments", "failures", "damaged")
MOST_SPECIFICATION_BYTES = 2**24
_LOOKS = 20
"""Times a reading starts again because files were compacted under it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Finished tasks, and the files that could not be trusted.

    Parameters
    ----------
    table : pyarrow.Table
        One row per finished task, in no particular order.
    damaged : tuple of str
        Per damaged file its name and what is wrong; none of its rows is in `table`.
    """

    table: pa.Table
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultsFolder:
    """A folder of results; make one with `open` or `create`.

    Parameters
    ----------
    path : Path
        The folder.
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> ResultsFolder:
        """Open an existing results folder.

        Raises
        ------
        InputError
            When it is none, or one of another format.
        """
        require_marker(Path(path))
        return cls(Path(path))

    @classmethod
    def create(cls, path: str | Path) -> ResultsFolder:
        """Open a results folder to write to it; a missing or empty folder becomes one.

        Raises
        ------
        InputError
            When it has files but is no results folder, is of another format, is a file, or cannot be written to.
        """
        folder = Path(path)
        try:
            if not (folder / NAME).exists() and not _occupied(folder):
                folder.mkdir(parents=True, exist_ok=True)
                write_marker(folder)
            require_marker(folder)
            for name in _FOLDERS:
                (folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise InputError(f"folder {folder}: cannot be written to ({error.strerror or error})") from None
        if not all(os.access(where, os.W_OK) for where in (folder, *(folder / name for name in _FOLDERS))):
            raise InputError(f"folder {folder}: no permission to write to it")
        return cls(folder)

    @property
    def parts(self) -> Parts:
        """Loose parts."""
        return Parts(self.path / "parts")

    @property
    def segments(self) -> Segments:
        """Compacted parts."""
        return Segments(self.path / "segments")

    @property
    def failed(self) -> Failures:
        """Failed tasks."""
        return Failures(self.path / "failures")

    @property
    def specification(self) -> Path:
        """The file of the specification."""
        return self.path / SPECIFICATION

    def lock(self, name: str = ".lock") -> FileLock:
        """A lock of this folder, not yet taken."""
        from filelock import FileLock

        return FileLock(self.path / name)

    def plan(self) -> Plan:
        """What was to be run.

        Raises
        ------
        InputError
            When it is missing or damaged; running the specification again writes it anew.
        """
        try:
            return read_plan(self.path / PLAN)
        except FileNotFoundError:
            raise InputError(f"folder {self.path}: has no {PLAN}; run its specification again") from None
        except DamagedError as error:
            raise DamagedError(f"{error}; run the specification again, which writes it anew") from None

    def specified(self) -> str | None:
        """The text of the specification; None where there is none.

        Raises
        ------
        InputError
            When it cannot be read.
        """
        from orsched.toml_file import toml_text

        if not self.specification.exists():
            return None
        return toml_text(self.specification, MOST_SPECIFICATION_BYTES, "the specification of the folder")

    def write_plan(self, plan: Plan, specification: str) -> None:
        """Write what is to be run, unless a plan that begins with it and goes on stands there already.

        Parameters
        ----------
        plan : Plan
            What is to be run.
        specification : str
            What the folder was opened for, as it stands in the file beside the plan.

        Raises
        ------
        InputError
            When another run has put another experiment into the folder meanwhile; nothing is changed then.
        """
        with self.lock():
            try:
                known = read_plan(self.path / PLAN)
            except (FileNotFoundError, DamagedError):
                known = None
            same = known is not None and (known.spec, known.code) == (plan.spec, plan.code)
            if not same and (known is not None or self.specified() != specification):
                raise InputError(
                    f"folder {self.path}: another run has put another experiment here meanwhile (--extend); what this "
                    "run finished is kept, go on with it in another folder"
                )
            if known is None or not known.table.slice(0, len(plan.table)).equals(plan.table):
                plan.write(self.path / PLAN)

    def finished(self) -> set[str]:
        """Ids of finished tasks, by the names of the parts and the ids in the segments, unchecked: fast."""
        return self._steadily(self._finished)

    def rows(self, columns: Sequence[str] | None = None) -> Reading:
        """Read every finished task once, checking what is read.

        Parameters
        ----------
        columns : sequence of str, optional
            Which ones; None: all of `experiments.results.schema.SCHEMA`.
        """
        return self._steadily(lambda: self._rows(columns))

    def failures(self) -> list[Failure]:
        """What failed and has not been finished since, by id."""
        failed = self.failed.all()
        finished = self.finished() if failed else set()
        return [failure for failure in failed if failure.task not in finished]

    def _steadily(self, look: Callable[[], Found]) -> Found:
        """Look again when files were compacted under it."""
        for _ in range(_LOOKS):
            try:
                return look()
            except FileNotFoundError:
                continue
        raise InputError(f"folder {self.path}: its files keep vanishing while they are read")

    def _finished(self) -> set[str]:
        found = self.parts.names()  # before the segments: what is compacted meanwhile must be in one of the two
        for path in self.segments.paths():
            try:
                found.update(self.segments.tasks(path))
            except DamagedError:
                continue
        return found

    def _rows(self, columns: Sequence[str] | None) -> Reading:
        names = SCHEMA.names if columns is None else list(dict.fromkeys(["task", *columns]))
        tables, damaged = [], []
        for task in sorted(self.parts.names()):
            try:
                tables.append(self.parts.read(task).select(names))
            except DamagedError as error:
                damaged.append(str(error))
        for path in self.segments.paths():
            try:
                tables.append(self.segments.read(path, None if columns is None else names))
            except DamagedError as error:
                damaged.append(str(error))
        schema = pa.schema([SCHEMA.field(name) for name in names])
        table = pa.concat_tables(tables) if tables else schema.empty_table()
        return Reading(once(table), tuple(damaged))


def once(table: pa.Table) -> pa.Table:
    """Keep the first row of each task."""
    seen: set[str] = set()
    first = [not (task in seen or seen.add(task)) for task in table["task"].to_pylist()]  # type: ignore[func-returns-value]
    return table if all(first) else table.filter(pa.array(first))


def _occupied(folder: Path) -> bool:
    """Whether it holds anything but what a killed process left half written."""
    return folder.is_dir() and any(not path.name.endswith(".part") for path in folder.iterdir())
