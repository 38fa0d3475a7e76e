"""The checked tables of a set of files, by format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from experiments.calibration.formats import Format, checked, recognise
from experiments.calibration.table_file import read_table
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Tables:
    """What was read.

    Parameters
    ----------
    by_format : mapping of str to DataFrame
        The checked table of each format that is there.
    notices : tuple of str
        What checking did to them.
    files : mapping of str to tuple of str
        Names of the files of each format.
    """

    by_format: Mapping[str, pd.DataFrame]
    notices: tuple[str, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __contains__(self, known: Format) -> bool:
        """Whether there is a table of this format."""
        return known.name in self.by_format

    def one(self, known: Format, why: str = "") -> pd.DataFrame:
        """Return the table of a format.

        Raises
        ------
        InputError
            When there is none; `why` says what it is needed for.
        """
        if known not in self:
            raise InputError(f"a {known.name} table is needed{why}; give its file too")
        return self.by_format[known.name]


def read_tables(paths: Iterable[Path]) -> Tables:
    """Read and check files; several of one format are joined.

    Raises
    ------
    InputError
        As `read_table`, `recognise` and `checked`.
    """
    raw: dict[str, list[pd.DataFrame]] = {}
    formats: dict[str, Format] = {}
    names: dict[str, list[str]] = {}
    for path in paths:
        table = read_table(path)
        known = recognise(table, path.name)
        formats[known.name] = known
        raw.setdefault(known.name, []).append(table)
        names.setdefault(known.name, []).append(path.name)
    found: dict[str, pd.DataFrame] = {}
    notices: list[str] = []
    for name, known in formats.items():
        found[name], said = checked(pd.concat(raw[name], ignore_index=True), known, ", ".join(names[name]))
        notices.extend(said)
    return Tables(found, tuple(notices), {name: tuple(there) for name, there in names.items()})
