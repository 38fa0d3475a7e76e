"""The scaling study: one policy, ever longer horizons, replications on common random numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from policies import build
from proofs_check.heavy_traffic.paths import ArrivalPath, draw_path
from proofs_check.heavy_traffic.served import Served, measure, serve
from proofs_check.heavy_traffic.types import PromptType

if TYPE_CHECKING:
    import pandas as pd

SCALES = (1, 4, 16, 64, 256)
_FIRST_ARRIVALS = 256
_REPRESENTATIVE = 20_000

Server = Callable[[ArrivalPath], Served]
"""Serves a path: a policy on the engine, or a recursion that says the same."""


def scaling_study(
    types: Sequence[PromptType],
    hardware: Hardware,
    policy: str | Policy,
    scales: Sequence[float] = SCALES,
    replications: int = 20,
    seed: int = 0,
    *,
    horizon_s: float | None = None,
    progress: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """Scale rates by ``zeta`` and iteration times by ``1 / zeta`` at fixed memory, and measure a policy.

    Scaling ``lambda_j -> zeta lambda_j`` and ``(d0, d1) -> (d0, d1) / zeta`` is a change of the unit of time: the path
    on ``[0, T]`` of the scaled system is that of the unscaled one on ``[0, zeta T]``, and the service-normalised
    delay, ``zeta`` times the calendar one, is the delay on the unscaled clock. So the study runs the unscaled system
    and measures it at the horizons ``zeta T``. All horizons of a replication are measured on one run, whose arrivals
    go on beyond the longest, so that a rule for the end of a finite run (`policies.wait.Waiting`) does not touch what
    is measured; the metric ``after_last_arrival`` says whether it did.

    Parameters
    ----------
    types : sequence of PromptType
        The types, at the rates of scale 1.
    hardware : Hardware
        What serves them, one instance; for the paper's model `linear_hardware`.
    policy : str or Policy
        A registry name, built for these types at these rates, or a policy, used as it is.
    scales : sequence of float
        The ``zeta``, > 0, all different; >= 5 of them for a slope worth the name.
    replications : int
        Independent sample paths, >= 1; the same for every policy (common random numbers).
    seed : int
        Of the paths, a whole number >= 0.
    horizon_s : float, optional
        ``T``, the horizon at scale 1, seconds; by default the time in which 256 prompts arrive on average.
    progress : callable, optional
        Called after every replication.

    Returns
    -------
    pandas.DataFrame
        One row per scale, replication, type and metric: ``policy``, ``scale``, ``horizon_s``, ``replication``,
        ``type`` (``"all"``, or its number), ``metric``, ``value``. Metrics are those of `served.measure`.

    Raises
    ------
    InputError
        For impossible scales, replications or horizons, or a policy that cannot be built.
    """
    fleet = Fleet.identical(hardware)
    served_by = build(policy, _representative(types), fleet) if isinstance(policy, str) else policy

    def server(path: ArrivalPath) -> Served:
        return serve(path, fleet, served_by, seed)

    return study_of(server, types, served_by.name, scales, replications, seed, horizon_s=horizon_s, progress=progress)


def study_of(
    server: Server,
    types: Sequence[PromptType],
    name: str,
    scales: Sequence[float] = SCALES,
    replications: int = 20,
    seed: int = 0,
    *,
    horizon_s: float | None = None,
    progress: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """The study of anything that serves a path; parameters and result are those of `scaling_study`."""
    import pandas as pd

    ordered = _checked(scales, replications, seed)
    first = _FIRST_ARRIVALS / sum(kind.rate_per_s for kind in types) if horizon_s is None else horizon_s
    if not 0 < first < np.inf:
        raise InputError(f"horizon_s = {first!r}: must be a positive, finite number of seconds")
    rows = []
    for replication in range(replications):
        rng = np.random.default_rng(np.random.SeedSequence([seed, replication]))
        served = server(draw_path(types, _end_s(first, ordered[-1]), rng))
        for scale in ordered:
            for (label, metric), value in measure(served, scale * first).items():
                rows.append((name, scale, scale * first, replication, label, metric, value))
        if progress is not None:
            progress()
    return pd.DataFrame(rows, columns=["policy", "scale", "horizon_s", "replication", "type", "metric", "value"])


def _end_s(first_s: float, largest: float) -> float:
    """How long arrivals go on: a tenth beyond the longest horizon, and as much as the shortest one more."""
    return (1.1 * largest + 1) * first_s


def _representative(types: Sequence[PromptType]) -> Workload:
    """A long path at exactly the offered rate, for policies that learn from one."""
    rate = sum(kind.rate_per_s for kind in types)
    path = draw_path(types, _REPRESENTATIVE / rate, np.random.default_rng(0))
    return path.workload().at_rate(rate)


def _checked(scales: Sequence[float], replications: int, seed: int) -> list[float]:
    for name, value, least in (("replications", replications, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{name} = {value!r}: must be a whole number >= {least}")
    if not scales or any(not 0 < scale < np.inf for scale in scales):
        raise InputError(f"scales {tuple(scales)}: need at least one, each a positive, finite number")
    if len(set(scales)) < len(scales):
        raise InputError(f"scales {tuple(scales)}: one is given twice")
    return sorted(scales)
