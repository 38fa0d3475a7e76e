"""Calibrations as data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from experiments.calibration.transfer import LeftOut
from experiments.render.calibration import calibration_document

if TYPE_CHECKING:
    from experiments.calibration.order import Outcome


def outcome_frame(outcome: Outcome) -> pd.DataFrame:
    """One row per regime of the fit, then one per comparison with times that it was not fitted to.

    Columns: kind (``regime`` or ``cross-check``), name, points (0: not counted), mape and p95_ape (relative errors,
    fractions; mean and 95th percentile), comment. Whatever else ``--json`` has is in ``attrs``.
    """
    rows = [("regime", e.group, e.points, e.mape, e.p95_ape, "") for e in outcome.found.errors]
    rows += [("cross-check", c.against, c.points, c.mape, c.p95_ape, c.comment) for c in outcome.found.cross_checks]
    frame = pd.DataFrame(rows, columns=["kind", "name", "points", "mape", "p95_ape", "comment"])
    document = calibration_document(outcome)
    frame.attrs.update((key, value) for key, value in document.items() if key not in ("errors", "cross_check"))
    return frame


def left_out_frame(rows: Sequence[LeftOut], what: str) -> pd.DataFrame:
    """One row per group left out and regime.

    Columns: group; fitted_to_groups, how many others; bias (signed, a fraction); regime; points; mape and p95_ape
    (relative errors, fractions). ``attrs["left_out"]`` is `what`.
    """
    columns = ["group", "fitted_to_groups", "bias", "regime", "points", "mape", "p95_ape"]
    lines = [
        (row.group, row.trained_on, row.bias, error.group, error.points, error.mape, error.p95_ape)
        for row in rows
        for error in row.errors
    ]
    frame = pd.DataFrame(lines, columns=columns)
    frame.attrs["left_out"] = what
    return frame
