"""One policy serves one sample path, and everything is measured that tables are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.metrics import comparable, measure
from orsched.objectives import Objectives
from orsched.policy import Policy
from orsched.request import SLO
from orsched.run import Run
from orsched.statistics.stability import Stability, stability
from orsched.statistics.warmup import warm_up
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class Served:
    """How one policy did on one sample path.

    Parameters
    ----------
    run : Run
        What became of every request.
    skip : int
        Arrivals that the warm-up rule leaves out.
    whole, shown : mapping of str to float
        Metrics of the whole path, which bounds are about, and without the warm-up, which tables show.
    comparable : tuple of str
        Metrics of `whole` that may be compared with pathwise bounds.
    stability : Stability
        Whether the policy kept up.
    clock_s : float
        Latest time on the simulator's clock.
    """

    run: Run
    skip: int
    whole: Mapping[str, float]
    shown: Mapping[str, float]
    comparable: tuple[str, ...]
    stability: Stability
    clock_s: float


def serve(
    path: Workload,
    fleet: Fleet,
    policy: Policy,
    seed: np.random.SeedSequence,
    *,
    load: float | None,
    least_load: float | None = None,
    slo: SLO | Objectives | None = None,
    warm_up_rule: str = "none",
    token_gaps: bool = True,
) -> Served:
    """Simulate and measure; a pure function of its arguments.

    Parameters
    ----------
    path, fleet, policy : Workload, Fleet, Policy
        What is served, by what, and who decides.
    seed : SeedSequence
        Of the policy's own random streams.
    load : float, optional
        Of the path on the fleet, for the verdict on stability; None where none is defined, as on mixed hardware: then
        growth decides, at a level between those below and above load 1 (`orsched.statistics.stability`).
    least_load : float, optional
        Where `load` is None: a lower bound on it. From 1 on no policy keeps up.
    slo : SLO or Objectives, optional
        For goodput and attainment: of all requests, or of each.
    warm_up_rule : str
        Rule of `orsched.statistics.warmup`.
    token_gaps : bool
        Measure the percentiles of the gaps between tokens, at the cost of about a tenth more time.
    """
    run = simulate(path, fleet, policy, seed, token_gaps=token_gaps)
    whole = measure(run, slo)
    skip = _skip(run, warm_up_rule)
    return Served(
        run,
        skip,
        whole,
        measure(run, slo, skip=skip) if skip else whole,
        tuple(metric for metric in whole if comparable(metric, whole)),
        stability(run, load, least_load=least_load),
        float(np.nanmax(run.completion_s, initial=run.arrival_s[-1])),
    )


def _skip(run: Run, rule: str) -> int:
    """Arrivals to leave out: up to the first request after the warm-up of those that were served."""
    served = np.flatnonzero(run.rejected == 0)
    skip = warm_up(run.latency_s[served], rule).skip if len(served) else 0
    return int(served[skip]) if skip else 0
