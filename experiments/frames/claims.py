"""``orsched check`` as a call."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from experiments.orders.arguments import taken
from experiments.orders.checking import claims_of
from experiments.orders.values import require_counts

if TYPE_CHECKING:
    import pandas as pd


@taken
def check(
    names: str | Iterable[str] | None = None, *, quick: bool = False, seed: int = 0, workers: int | None = None
) -> pd.DataFrame:
    """Check claims on sampled instances: verdict, tightest slack, witness.

    Parameters
    ----------
    names : str or several, optional
        Claims, or the first words of their names; by default all.
    quick : bool
        Fewer and smaller instances.
    seed : int
        Of the instances.
    workers : int, optional
        Processes; None: as many as there are cores and claims.

    Returns
    -------
    pandas.DataFrame
        One row per claim: name, verdict (``holds``, ``refuted``, ``fails``), slack, instances, confidence, seconds,
        source, statement, witness. A claim that fails raises nothing.

    Raises
    ------
    InputError
        As ``orsched check`` for the same options.
    """
    from experiments.checking import check_claims, checked_frame

    require_counts(workers=workers)
    require_counts(0, sys.maxsize, seed=seed)
    return checked_frame(check_claims(claims_of(names), seed=seed, quick=quick, workers=workers))
