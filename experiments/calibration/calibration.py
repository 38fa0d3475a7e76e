"""What a calibration yields: a fit, its profile and the checks on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from experiments.calibration.fit import Fit

_RANGE_COLUMNS = ("prompt_tokens", "num_seqs", "kv_tokens")


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A comparison of the fitted model with times it was not fitted to; `mape` is a fraction."""

    against: str
    mape: float
    comment: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fit, the profile it was made from and what it was checked against."""

    fit: Fit
    profile: pd.DataFrame
    cross_checks: tuple[CrossCheck, ...]

    def tables(self) -> dict[str, Any]:
        """Return the computed tables of a catalogue entry, rounded to the digits that mean something."""
        coefficients = {**self.fit.coefficients, "hinge_tokens": self.fit.hinge_tokens}
        ranges = {name: [int(self.profile[name].min()), int(self.profile[name].max())] for name in _RANGE_COLUMNS}
        return {
            "coefficients": {name: _significant(value, 10) for name, value in coefficients.items()},
            "fit": [
                {
                    "regime": error.regime,
                    "points": error.points,
                    "mape": _significant(error.mape, 6),
                    "p95_ape": _significant(error.p95_ape, 6),
                }
                for error in self.fit.errors
            ],
            "cross_check": [
                {"against": check.against, "mape": _significant(check.mape, 6), "comment": check.comment}
                for check in self.cross_checks
            ],
            "range": ranges,
        }


def _significant(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
