"""What the hardware entries were calibrated on, and how wrong they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.report.tables.table import Cell, Column, Table, number, words
from orsched.catalogue import FitError, Hardware


@dataclass(frozen=True, slots=True)
class HardwareCard:
    """One entry as the page shows it.

    Parameters
    ----------
    name : str
        Of the entry, or of the file.
    facts : tuple of (str, str)
        Title and text.
    errors : Table or None
        Errors of the fit by regime, and on what was left out of it; None where none is known.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    errors: Table | None


def hardware_card(hardware: Hardware) -> HardwareCard:
    """Show an entry with its errors, range and source."""
    facts = [
        ("kind", hardware.kind),
        ("service model", type(hardware.service).__name__),
        ("KV memory", f"{hardware.kv_capacity_tokens:,} tokens in blocks of {hardware.block_tokens:,}"),
        ("seats", f"{hardware.max_num_seqs:,} requests in a batch"),
        ("calibrated range", _ranges(hardware)),
        ("source", hardware.source or "none given"),
        ("notes", hardware.notes or "none"),
    ]
    return HardwareCard(hardware.name, tuple(facts), _errors(hardware))


def _ranges(hardware: Hardware) -> str:
    if not hardware.valid_range:
        return "not known: nothing says where it extrapolates"
    return "; ".join(f"{name} {least:,.0f} to {most:,.0f}" for name, (least, most) in hardware.valid_range.items())


def _errors(hardware: Hardware) -> Table | None:
    rows = [*_rows("fit", hardware.fit_error), *_rows("left out of the fit", hardware.cross_error)]
    if not rows:
        return None
    columns = [
        Column("group"),
        Column("of"),
        Column("points", numeric=True),
        Column("mean error", numeric=True, hint="mean of |model - measured| / measured"),
        Column("95th percentile", numeric=True),
    ]
    return Table(f"Calibration errors of {hardware.name}", columns, rows)


def _rows(of: str, errors: Sequence[FitError]) -> list[list[Cell]]:
    return [
        [
            words(error.group),
            words(of),
            number(error.points, ",d"),
            number(error.mape, ".1%"),
            number(error.p95_ape or None, ".1%"),
        ]
        for error in errors
    ]
