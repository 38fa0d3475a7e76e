"""When a request is within its objective."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.fleet.spec import Scoring
from orsched.errors import InputError
from orsched.request import RequestClass
from orsched.run import Run
from orsched.work import Floats


def within_objective(run: Run, tier: RequestClass, rows: NDArray[np.bool_], scoring: Scoring) -> NDArray[np.bool_]:
    """Say which of the requests in `rows`, all of `tier`, are within its objective; shape of `rows`.

    ``deadline``: every token i = 0, 1, ... by ``arrival + TTFT + i TPOT``, so that a slow iteration may be made good
    by faster ones before it. ``mean-tpot``: the first token by ``arrival + TTFT``, and the mean time per token after it
    at most TPOT. A request that never completed, or was turned away, is not.

    Raises
    ------
    InputError
        When the tier has no objective.
    """
    if tier.slo is None:
        raise InputError(f"tier {tier.name!r} has no objective: nothing to score against")
    if scoring == "deadline":
        assert run.lateness_s is not None, "the run was simulated without deadlines"
        return rows & (run.lateness_s <= 0)
    with np.errstate(invalid="ignore"):
        in_time = run.ttft_s <= tier.slo.ttft_s
        paced = mean_tpot_s(run) <= tier.slo.tpot_s
    return rows & in_time & (paced | ((run.output_tokens == 1) & np.isfinite(run.completion_s)))


def mean_tpot_s(run: Run) -> Floats:
    """Mean time per output token after the first, per request; NaN for one output token or without completion."""
    gaps = np.where(run.output_tokens > 1, run.output_tokens - 1.0, np.nan)
    return np.asarray((run.completion_s - run.first_token_s) / gaps)
