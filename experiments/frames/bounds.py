"""``orsched bound`` as a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.frames.tables import table_frame
from experiments.notebook import frames_html
from experiments.orders.arguments import taken
from experiments.orders.defaults import HARDWARE, WORKLOAD

if TYPE_CHECKING:
    import pandas as pd

    from experiments.paths.source import WorkloadLike
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.policy import Policy


class BoundFrames(NamedTuple):
    """What no policy can beat at one load.

    Parameters
    ----------
    bounds : pandas.DataFrame
        One row per bound: name, metric, unit, sense, value, half_width, n, validity, certified, tightest; the facts of
        the run in ``attrs``.
    policies : pandas.DataFrame
        One row per policy that was simulated, with the columns of `experiments.frames.gap_table`; empty if none was.
    certificate : mapping, optional
        What re-proves the tightest certified bound on mean latency of the first path, as plain values.
    """

    bounds: pd.DataFrame
    policies: pd.DataFrame
    certificate: Mapping[str, Any] | None

    def _repr_html_(self) -> str:
        return frames_html({"bounds": self.bounds, "policies": self.policies})


@taken
def bound(
    *,
    workload: WorkloadLike = WORKLOAD,
    hardware: str | Path | Hardware | Fleet = HARDWARE,
    load: float = 0.9,
    requests: int = 2_000,
    replications: int = 10,
    seed: int = 0,
    instances: int = 1,
    policy: str | Policy | Iterable[str | Policy] | None = None,
    predictor: str | None = None,
    drop_oversized: bool = False,
) -> BoundFrames:
    """Find every bound at one load with 95% intervals, and how close policies come to them.

    Parameters
    ----------
    workload, hardware, load, requests, replications, seed, instances, predictor, drop_oversized
        As for `experiments.frames.evaluate`.
    policy : str, Policy or several, optional
        Also simulate them, for their gaps; ``"all"``: every policy there is.

    Returns
    -------
    BoundFrames
        The bounds, and the policies that were simulated.

    Raises
    ------
    InputError
        As ``orsched bound`` for the same options.
    """
    from experiments.comparison.bounding import bounding
    from experiments.orders.evaluating import bounding_order

    experiment = bounding_order(
        workload=workload,
        hardware=hardware,
        load=load,
        requests=requests,
        replications=replications,
        seed=seed,
        instances=instances,
        policy=policy,
        predictor=predictor,
        drop_oversized=drop_oversized,
    )
    found = bounding(experiment, with_policies=policy is not None)
    return BoundFrames(found.frame(), table_frame(found.table()), found.dual_certificate())
