"""``orsched hindsight`` as a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.orders.arguments import taken

if TYPE_CHECKING:
    import pandas as pd


@taken
def hindsight(
    *,
    law: str = "burst",
    instances: int = 20,
    seed: int = 0,
    time_limit: float = 60.0,
    method: str = "portfolio",
) -> pd.DataFrame:
    """Solve the published synthetic instances in hindsight: proved gaps, and MC-SF over the best schedule.

    Parameters
    ----------
    law : str
        burst (all at round 0) or poisson.
    instances, seed : int
        Instances to draw, and their seed.
    time_limit : float
        Seconds per instance.
    method : str
        portfolio, lagrangian, highs or cp-sat (needs the extra ``cp``).

    Returns
    -------
    pandas.DataFrame
        One row per instance, with the columns of `experiments.hindsight.Study.frame`: index, requests, memory_tokens,
        mc_sf, incumbent and bound (total latency, rounds), bound_source, status, seconds, cpu_s, gap,
        mc_sf_over_incumbent; summaries and published values in ``attrs``.

    Raises
    ------
    InputError
        As ``orsched hindsight`` for the same options.
    """
    from experiments.hindsight import get_law, study

    return study(get_law(law), instances, seed=seed, time_limit_s=time_limit, method=method).frame()
