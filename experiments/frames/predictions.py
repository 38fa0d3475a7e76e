"""``orsched validate silicon`` and ``orsched validate batch-times`` as calls."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

from experiments.notebook import frames_html
from experiments.orders.arguments import taken
from experiments.orders.values import require_counts

if TYPE_CHECKING:
    import pandas as pd


class PredictionFrames(NamedTuple):
    """Measured times beside predicted ones.

    Parameters
    ----------
    points : pandas.DataFrame
        One row per measured point, with the times that the data-sheet roofline predicts, seconds.
    errors : pandas.DataFrame
        One row per predictor, group and quantity: grouped_by, group, quantity, points, mape, median_error (signed),
        p95_ape, predictor; errors are fractions.
    shares : pandas.DataFrame
        One row per group left out: left_out, group, compute, memory (shares of the peaks that the others achieve),
        overhead_s (seconds an iteration), at_bound.
    """

    points: pd.DataFrame
    errors: pd.DataFrame
    shares: pd.DataFrame

    def _repr_html_(self) -> str:
        return frames_html({"errors": self.errors, "shares": self.shares, "points": self.points})


@taken
def validate_silicon(*, token_budget: int = 8192, kv_bytes: float = 1.0) -> PredictionFrames:
    """Predict measured TTFT and TPOT from rooflines.

    Parameters
    ----------
    token_budget : int
        Tokens of an iteration; the measurements do not say.
    kv_bytes : float
        Bytes of a cached number, 0.5 to 4; the measurements do not say.

    Returns
    -------
    PredictionFrames
        ``errors.attrs`` has the assumptions, the points, and how many were left out for which reason.

    Raises
    ------
    InputError
        As ``orsched validate silicon`` for the same options.
    """
    from experiments.validation.error_report import shares_frame
    from experiments.validation.silicon import Assumptions, validate_silicon
    from orsched.checks import require_number

    require_counts(token_budget=token_budget)
    require_number("--kv-bytes", kv_bytes, least=0.5, most=4.0)
    assumptions = Assumptions(token_budget, kv_bytes)
    found = validate_silicon(assumptions)
    facts = {"points": len(found.points), "left_out": dict(found.left_out), "assumptions": asdict(assumptions)}
    found.errors.attrs.update(facts)
    return PredictionFrames(found.points, found.errors, shares_frame(found.shares))


@taken
def validate_batch_times() -> PredictionFrames:
    """Predict measured prompt and token times of batches: rooflines as they are and fitted, and the hinged form.

    Returns
    -------
    PredictionFrames
        ``errors.attrs["points"]`` counts the points.
    """
    from experiments.validation.batch_times import validate_batch_times
    from experiments.validation.error_report import shares_frame

    found = validate_batch_times()
    found.errors.attrs["points"] = len(found.points)
    return PredictionFrames(found.points, found.errors, shares_frame(found.shares))
