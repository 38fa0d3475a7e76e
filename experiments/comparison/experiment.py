"""What an experiment is: everything that decides its numbers, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

from experiments.distinct import require_distinct
from experiments.paths.source import WorkloadLike
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.request import SLO
from orsched.statistics.warmup import warm_up

MOST_REQUESTS = 50_000_000
LEAST_LOAD, MOST_LOAD = 1e-6, 1e6


@dataclass(frozen=True, slots=True)
class Experiment:
    """Policies at loads on common sample paths.

    Two experiments that compare equal give the same bytes, whatever the number of workers.

    Parameters
    ----------
    workload : str, Path, Workload or WorkloadSource
        A catalogue name, the path of a file, requests to resample, or a source of sample paths.
    fleet : Fleet
        What serves them.
    policies : tuple of str or Policy
        Registry names, built for each load, or finished policies, used as they are.
    loads : tuple of float
        Each > 0; 1 is the edge of the planning LP's capacity region.
    requests : int
        Per replication, at least 2.
    replications : int
        Sample paths, at least 1 (no interval without a second).
    seed : int
        Of every random stream, >= 0.
    router : str, optional
        Router of a fleet of several; None keeps the policy's own.
    slo : SLO, optional
        For goodput.
    warm_up : str
        Rule of `orsched.statistics.warmup` for the arrivals left out of the per-request metrics. Gaps always cover the
        whole path, as bounds do.
    drop_oversized : bool
        Leave out the requests of a trace that no instance can hold, with a notice, instead of refusing it.
    predictor : str, optional
        Predictor of output lengths (`policies.predictors`) for every policy that uses them; None leaves each policy
        what it declares.
    """

    workload: WorkloadLike
    fleet: Fleet
    policies: tuple[str | Policy, ...]
    loads: tuple[float, ...]
    requests: int
    replications: int
    seed: int = 0
    router: str | None = None
    slo: SLO | None = None
    warm_up: str = "none"
    drop_oversized: bool = False
    predictor: str | None = None

    def __post_init__(self) -> None:
        if not self.policies:
            raise InputError("an experiment needs at least one policy")
        names = [policy if isinstance(policy, str) else policy.name for policy in self.policies]
        require_distinct("policies", names)
        if not self.loads:
            raise InputError("an experiment needs at least one load")
        for load in self.loads:
            if isinstance(load, bool) or not isinstance(load, Real) or not (load > 0 and math.isfinite(load)):
                raise InputError(f"load {load!r}: must be a positive, finite number")
            if not LEAST_LOAD <= load <= MOST_LOAD:
                raise InputError(f"load {load!r}: must be between {LEAST_LOAD:g} and {MOST_LOAD:g}")
        require_distinct("loads", [float(load) for load in self.loads])
        object.__setattr__(self, "loads", tuple(float(load) for load in self.loads))
        for field, least, most in (("requests", 2, MOST_REQUESTS), ("replications", 1, None), ("seed", 0, None)):
            object.__setattr__(self, field, _whole(field, getattr(self, field), least, most))
        warm_up([0.0], self.warm_up)


def _whole(field: str, value: object, least: int, most: int | None) -> int:
    """A whole number, also of numpy's, as an int."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"{field} = {value!r}: must be a whole number >= {least}")
    if most is not None and int(value) > most:
        raise InputError(f"{field} = {value!r}: must be at most {most}")
    return int(value)
