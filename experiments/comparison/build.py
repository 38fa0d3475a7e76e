"""Build the policies of an experiment for one load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import policies
from orsched.errors import InputError, PluginError
from orsched.fleet import Fleet
from orsched.policy import Information, Policy, only_instance
from orsched.prediction import Predictor
from orsched.workloads import Workload
from orsched.workloads.sources import WorkloadSource

if TYPE_CHECKING:
    from experiments.comparison.experiment import Experiment

DEFAULT_ROUTER = "jsq"
"""Router of a fleet of several instances when neither the experiment nor the policy names one."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A policy that cannot run for a workload at a load, and why.

    WAIT has no thresholds close to load 1, for example: that is a result, not a mistake of the user.
    """

    name: str
    information: Information
    reason: str


def built_policies(experiment: Experiment, representative: Workload, load: float) -> tuple[Policy | Unavailable, ...]:
    """Build the policies for `load`, each behind the experiment's router and with its predictor.

    Policies that are tuned on the workload (WAIT) and predictors that are learnt from it see `representative` at the
    load: the law, never the sample path of a replication.

    Raises
    ------
    UnknownNameError
        For an unknown policy, router or predictor.
    InputError
        For a predictor's parameter that is none.
    """
    fleet = experiment.fleet
    tuned_on = representative.at_load(load, fleet)
    predictor = None if experiment.predictor is None else policies.build_predictor(experiment.predictor, tuned_on)
    return tuple(built_policy(policy, tuned_on, fleet, experiment.router, predictor) for policy in experiment.policies)


def built_policy(
    policy: str | Policy,
    tuned_on: Workload,
    fleet: Fleet,
    router: str | None = None,
    predictor: Predictor | None = None,
) -> Policy | Unavailable:
    """Build one policy, behind a router and with a predictor.

    Parameters
    ----------
    policy : str or Policy
        A registry name, or a finished policy, used as it is.
    tuned_on : Workload
        Stands for the law at the target load.
    fleet : Fleet
        What it will run on.
    router : str, optional
        None keeps the policy's own, or `DEFAULT_ROUTER` where several instances need one.
    predictor : Predictor, optional
        For a policy that uses output lengths.

    Raises
    ------
    UnknownNameError
        For an unknown policy or router.
    PluginError
        When the policy is of another distribution and does not load, fails, or is not what it announces.
    """
    if isinstance(policy, Policy):
        return _routed(_predicted(policy, predictor), router, fleet)
    recipe = policies.get_recipe(policy)
    try:
        built = recipe.build(tuned_on, fleet)
    except PluginError:  # a mistake, no result
        raise
    except InputError as error:
        predicted = predictor is not None and recipe.information > Information.NONE
        return Unavailable(recipe.name, Information.PREDICTED if predicted else recipe.information, str(error))
    return _routed(_predicted(built, predictor), router, fleet)


def _predicted(policy: Policy, predictor: Predictor | None) -> Policy:
    """The policy with predicted lengths, if it uses lengths at all."""
    if predictor is None or policy.information is Information.NONE:
        return policy
    return policy.predicted_by(predictor)


def wait_with_thresholds(
    source: WorkloadSource, fleet: Fleet, load: float, thresholds: Sequence[int], stage_iterations: int = 1
) -> Policy:
    """Build WAIT with given thresholds, checked against its conditions for `source` at `load`.

    Raises
    ------
    InputError
        When the thresholds violate WAIT's conditions there; the message gives both sides.
    """
    representative = source.whole().at_load(load, fleet)
    return policies.Wait().with_thresholds(thresholds, representative, fleet, stage_iterations)


def effective_router(experiment: Experiment) -> str | None:
    """Name the router that registry policies run behind; None for a single instance."""
    return experiment.router or (DEFAULT_ROUTER if experiment.fleet.size > 1 else None)


def _routed(policy: Policy, router: str | None, fleet: Fleet) -> Policy:
    if router is not None:
        return policy.routed_by(policies.get_router(router))
    if fleet.size > 1 and policy.route is only_instance:
        return policy.routed_by(policies.get_router(DEFAULT_ROUTER))
    return policy
