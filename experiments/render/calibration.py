"""Calibrations as tables and documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from experiments.calibration.end_to_end import Overhead
    from experiments.calibration.order import Outcome
    from experiments.calibration.transfer import LeftOut
    from orsched.catalogue import FitError


def calibration_table(outcome: Outcome) -> Group:
    """Errors by regime, what they were checked against, and the overhead if one was fitted."""
    found = outcome.found
    title = f"{outcome.profile.group}: {type(found.service).__name__.lower()}"
    table = Table("regime", "points", "MAPE", "95th percentile", title=title, title_justify="left")
    for error in found.errors:
        table.add_row(*_cells(error))
    for check in found.cross_checks:
        table.add_row(
            check.against, str(check.points or ""), f"{check.mape:.2%}", f"{check.p95_ape:.2%}" if check.p95_ape else ""
        )
    parts: list[Any] = [table]
    if outcome.overhead is not None:
        parts.append(
            f"\noverhead of {1e3 * outcome.overhead.overhead_s:.3g} ms an iteration, fitted to {outcome.overhead_of}"
        )
        parts.append(_overhead_table(outcome.overhead))
    return Group(*parts)


def _overhead_table(overhead: Overhead) -> Table:
    table = Table("error of the mean", "without", "with")
    for name in overhead.before:
        table.add_row(name, f"{overhead.before[name]:+.2%}", f"{overhead.after[name]:+.2%}")
    return table


def _cells(error: FitError) -> tuple[str, str, str, str]:
    return error.group, str(error.points), f"{error.mape:.2%}", f"{error.p95_ape:.2%}"


def left_out_table(rows: tuple[LeftOut, ...], what: str) -> Table:
    """Errors of each group predicted from the others."""
    title = f"each {what} left out, predicted from the others by data-sheet ratios"
    table = Table("group", "fitted to", "regime", "points", "MAPE", "95th percentile", "bias", title=title)
    table.title_justify = "left"
    for row in rows:
        for k, error in enumerate(row.errors):
            start = (row.group, f"{row.trained_on} groups") if k == 0 else ("", "")
            table.add_row(*start, *_cells(error), f"{row.bias:+.1%}" if k == 0 else "")
    return table


def calibration_document(outcome: Outcome) -> dict[str, Any]:
    """Everything as one JSON object."""
    found = outcome.found
    overhead = outcome.overhead
    return {
        "group": {
            "gpu": outcome.profile.gpu,
            "model": outcome.profile.model,
            "tensor_parallel": outcome.profile.tensor_parallel,
        },
        "formats": list(outcome.profile.formats),
        **{key: value for key, value in found.tables().items() if key in ("form", "coefficients", "range")},
        "errors": [_error(error) for error in found.errors],
        "cross_check": [check.table() for check in found.cross_checks],
        "kv_capacity_tokens": outcome.instance.kv_capacity_tokens if outcome.instance else None,
        "overhead": None
        if overhead is None
        else {
            "overhead_s": overhead.overhead_s,
            "fitted_to": outcome.overhead_of,
            "error_before": overhead.before,
            "error_after": overhead.after,
            "note": overhead.note,
        },
        "notes": [*outcome.profile.notes, *found.notes],
    }


def left_out_document(rows: tuple[LeftOut, ...], what: str) -> dict[str, Any]:
    """The errors of `left_out_table` as one JSON object."""
    groups = [
        {"group": r.group, "fitted_to_groups": r.trained_on, "bias": r.bias, "errors": [_error(e) for e in r.errors]}
        for r in rows
    ]
    return {"left_out": what, "groups": groups}


def _error(error: FitError) -> dict[str, Any]:
    return {"regime": error.group, "points": error.points, "mape": error.mape, "p95_ape": error.p95_ape}
