"""What a calibration yields: a service model, its errors, and the tables of a catalogue entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from experiments.calibration.model_tables import coefficient_tables, form_of, significant
from orsched.catalogue import FitError
from orsched.service import ServiceModel

_RANGE_COLUMNS = ("prompt_tokens", "past_tokens", "num_seqs", "kv_tokens")


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A comparison of the model with times it was not fitted to; errors as fractions."""

    against: str
    mape: float
    comment: str
    points: int = 0
    p95_ape: float = 0.0

    def table(self) -> dict[str, Any]:
        """Return it as a table of a hardware file."""
        known: dict[str, Any] = {"against": self.against}
        if self.points:
            known |= {"points": self.points}
        known["mape"] = significant(self.mape, 6)
        if self.p95_ape:
            known["p95_ape"] = significant(self.p95_ape, 6)
        return {**known, "comment": self.comment}


@dataclass(frozen=True, slots=True)
class Calibration:
    """A service model and what is known about its errors.

    Parameters
    ----------
    service : ServiceModel
        The model.
    errors : tuple of FitError
        By regime; of interpolation for a tabulated model, of the fit for others.
    kept : DataFrame
        The iterations it was made from.
    cross_checks : tuple of CrossCheck
        Comparisons with what it was not made from.
    notes : tuple of str
        What to know, in addition to the notes of the profile.
    ranks : int
        Replicas in lockstep that one instance consists of.
    overhead_s : float
        Seconds an iteration that end-to-end points added to the model.
    range_columns : tuple of str
        Batch fields whose range is stated.
    """

    service: ServiceModel
    errors: tuple[FitError, ...]
    kept: pd.DataFrame
    cross_checks: tuple[CrossCheck, ...] = ()
    notes: tuple[str, ...] = ()
    ranks: int = 1
    overhead_s: float = 0.0
    range_columns: tuple[str, ...] = _RANGE_COLUMNS

    def ranges(self) -> dict[str, list[int]]:
        """Smallest and largest of each batch field that was seen, of the whole instance."""
        times = {"num_seqs": self.ranks, "kv_tokens": self.ranks}
        return {
            name: [int(self.kept[name].min()) * times.get(name, 1), int(self.kept[name].max()) * times.get(name, 1)]
            for name in self.range_columns
        }

    def tables(self) -> dict[str, Any]:
        """Return the computed tables of a catalogue entry."""
        return {
            "form": form_of(self.service),
            "coefficients": coefficient_tables(self.service),
            "fit": [
                {
                    "regime": error.group,
                    "points": error.points,
                    "mape": significant(error.mape, 6),
                    "p95_ape": significant(error.p95_ape, 6),
                }
                for error in self.errors
            ],
            "cross_check": [check.table() for check in self.cross_checks],
            "range": self.ranges(),
        }
