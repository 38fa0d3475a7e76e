"""CSV files, plain or gzip-compressed, through pyarrow's parser."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orsched.errors import InputError
from orsched.workloads.files.opening import Limits, open_bytes, reading
from orsched.workloads.files.table import Column


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A comma-separated file with a header line; blank lines are skipped.

    Parameters
    ----------
    path : Path
        The file.
    limits : Limits
        Largest file accepted.
    """

    path: Path
    limits: Limits = field(default_factory=Limits)

    def names(self) -> list[str]:
        """Return the header's names; raises InputError when there is no header."""
        for _, record in self._records():
            if any("\ufffd" in name for name in record):
                raise InputError(f"{self.path}: the header is not UTF-8 text; export the file as UTF-8")
            return record
        raise InputError(f"{self.path}: the file has no header line; export it again")

    def load(self, names: Collection[str], text: Collection[str]) -> dict[str, Column]:
        """Read columns; one with a cell that is no number comes back as text throughout."""
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        convert = arrow_csv.ConvertOptions(
            include_columns=list(names),
            column_types={name: pa.string() for name in text},
            null_values=[],
            true_values=[],
            false_values=[],
        )
        parse = arrow_csv.ParseOptions(newlines_in_values=True)
        with reading(self.path), open_bytes(self.path, self.limits) as file:
            try:
                table = arrow_csv.read_csv(file, convert_options=convert, parse_options=parse)
            except pa.ArrowInvalid as error:
                raise self._malformed(error) from None
        self.limits.check_rows(self.path, table.num_rows)
        return {name: table[name].to_numpy() for name in names}

    def line_of(self, row: int) -> int | None:
        """Return the line on which data row `row` ends, by reading the file up to there."""
        for index, (line, _) in enumerate(self._records()):
            if index == row:
                return line
        return None

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield line number (from 1) and fields of the header and of every data row."""
        with reading(self.path), open_bytes(self.path, self.limits) as file:
            rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=""))
            try:
                yield from ((rows.line_num, record) for record in rows if record)
            except csv.Error as error:
                raise InputError(f"{self.path} line {rows.line_num}: not CSV ({error})") from None

    def _malformed(self, error: Exception) -> InputError:
        """Name the first line whose number of fields differs from the header's."""
        expected = None
        for row, (line, record) in enumerate(self._records()):
            expected = expected or len(record)
            if len(record) != expected:
                return InputError(
                    f"{self.path} row {row} (line {line}): {len(record)} fields, {expected} in the header; "
                    "the line is cut or has a stray comma or quote"
                )
        return InputError(f"{self.path}: not a readable CSV file ({error}); export it again")
