"""What ``orsched evaluate`` and ``orsched bound`` are asked for, as experiments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.orders.fleets import fleet_of, slo_of
from experiments.orders.values import Numbers, counts_of, name_of, names_and_others
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.comparison.experiment import Experiment
    from experiments.paths.source import WorkloadLike
    from orsched.catalogue import Hardware
    from orsched.fleet import Fleet
    from orsched.policy import Policy


def evaluation_order(
    policy: str | Policy,
    *,
    workload: WorkloadLike,
    hardware: str | Path | Hardware | Fleet,
    load: float,
    requests: int,
    replications: int,
    seed: int,
    instances: int,
    router: str | None,
    predictor: str | None,
    slo_ttft: float | None,
    slo_tpot: float | None,
    warm_up: str,
    thresholds: Numbers | None,
    stage_iterations: int,
    drop_oversized: bool,
) -> Experiment:
    """One policy at one load, from the options of ``orsched evaluate``.

    Raises
    ------
    InputError
        For options that do not go together, and as for `Experiment`.
    """
    from experiments.comparison.experiment import Experiment

    fleet = fleet_of(hardware, instances)
    chosen = policy
    if thresholds is not None:
        chosen = _wait(policy, workload, fleet, load, thresholds, stage_iterations, drop_oversized)
    elif stage_iterations != 1:
        raise InputError("--stage-iterations goes with --thresholds")
    return Experiment(
        workload=workload,
        fleet=fleet,
        policies=(chosen,),
        loads=(load,),
        requests=requests,
        replications=replications,
        seed=seed,
        router=router,
        slo=slo_of(slo_ttft, slo_tpot),
        warm_up=warm_up,
        drop_oversized=drop_oversized,
        predictor=predictor,
    )


def bounding_order(
    *,
    workload: WorkloadLike,
    hardware: str | Path | Hardware | Fleet,
    load: float,
    requests: int,
    replications: int,
    seed: int,
    instances: int,
    policy: str | Policy | Iterable[str | Policy] | None,
    predictor: str | None,
    drop_oversized: bool,
) -> Experiment:
    """One load, and the policies to be simulated there (``all``: every one), from the options of ``orsched bound``.

    Without a policy the experiment has all of them; `experiments.comparison.bounding.bounding` is told not to run them.

    Raises
    ------
    UnknownNameError
        For a policy that there is not, also beside ``all``.
    InputError
        For a predictor without a policy that could use it, and as for `Experiment`.
    """
    from experiments.comparison.experiment import Experiment
    from policies.plugins import EVERY

    if policy is None and predictor is not None:
        raise InputError(f"--predictor {predictor} goes with --policy: bounds use no predicted lengths")
    return Experiment(
        workload=workload,
        fleet=fleet_of(hardware, instances),
        policies=_simulated((EVERY,) if policy is None else names_and_others(policy)),
        loads=(load,),
        requests=requests,
        replications=replications,
        seed=seed,
        drop_oversized=drop_oversized,
        predictor=predictor,
    )


def _simulated(asked: Sequence[str | Policy]) -> tuple[str | Policy, ...]:
    """The policies that are asked for; with ``all`` all that have a name, and those that are given as they are."""
    import policies
    from policies.plugins import EVERY

    for policy in asked:
        if isinstance(policy, str) and policy != EVERY:
            policies.get_recipe(policy)
    if EVERY not in asked:
        return tuple(asked)
    return (*policies.policy_names(), *(policy for policy in asked if not isinstance(policy, str)))


def _wait(
    policy: str | Policy,
    workload: WorkloadLike,
    fleet: Fleet,
    load: float,
    thresholds: Numbers,
    stage_iterations: int,
    drop_oversized: bool,
) -> Policy:
    from experiments.comparison.build import wait_with_thresholds
    from experiments.paths.source import source_for

    source = source_for(workload, fleet, drop_oversized)
    if policy != "wait":
        raise InputError(f"--thresholds is for policy 'wait', not for {name_of(policy)!r}")
    per_class = counts_of("--thresholds", thresholds)
    return wait_with_thresholds(source, fleet, load, per_class, stage_iterations)
