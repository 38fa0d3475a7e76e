"""Who decides in a task, as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache

import policies
from experiments.comparison.build import Unavailable, built_policy
from experiments.comparison.roles import require_roles
from experiments.tasks.path_choice import PathChoice
from experiments.tasks.plugin_code import require_code
from experiments.tasks.system_settings import built_system
from orsched.errors import InputError, PluginError, UnknownNameError
from orsched.policy import Policy


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A policy of the registry with its router, or a fleet system with its settings; and its predictor.

    Parameters
    ----------
    name : str
        Name of a policy of the registry, or of a fleet system.
    predictor : str, optional
        Predictor of output lengths; None: what the policy declares.
    router : str, optional
        Router of a policy of the registry; None: the policy's own, or join the shortest queue.
    settings : str
        Settings of a fleet system as `experiments.tasks.system_settings.chosen_settings` writes them.
    code : str, optional
        Fingerprint of what plugins have added to it (`experiments.tasks.plugin_code`); None where all is ours.
    """

    name: str
    predictor: str | None = None
    router: str | None = None
    settings: str = "{}"
    code: str | None = None

    @property
    def is_system(self) -> bool:
        """Whether it is a fleet system."""
        return self.name in policies.fleet_system_names()

    @property
    def facts(self) -> dict[str, object]:
        """What decides how it acts."""
        chosen = json.loads(self.settings)
        return {
            "name": self.name,
            "predictor": self.predictor,
            "router": self.router,
            "settings": chosen,
            "code": self.code,
        }

    @property
    def shown(self) -> str:
        """One line."""
        chosen = "" if self.settings == "{}" else f" {self.settings}"
        predicted = "" if self.predictor is None else f" with {self.predictor}"
        return self.name + chosen + predicted + ("" if self.router is None else f" behind {self.router}")

    def with_defaults(self, predictor: str | None, router: str | None) -> PolicyChoice:
        """The policy with a predictor and, unless it has its own or is a system, a router."""
        own = self.router if self.is_system or self.router is not None else router
        return replace(self, predictor=predictor, router=own)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a policy cannot run there; what it would know is not always known then."""

    information: str | None
    reason: str


def built(policy: PolicyChoice, path: PathChoice) -> Policy | Refusal:
    """Build it for the law of the path at its load: tuned on the whole workload, never on the path.

    Raises
    ------
    UnknownNameError
        For an unknown policy, predictor or router.
    InputError
        When a policy of a plugin is not the one that the task was made with, or fails.
    """
    return _built(policy, replace(path, requests=0, seed=0, replication=0))


@lru_cache(maxsize=128)
def _built(policy: PolicyChoice, law: PathChoice) -> Policy | Refusal:
    require_code(policy.name, json.loads(policy.settings), policy.code)
    fleet = law.fleet.fleet()
    tuned_on = law.whole()
    predictor = None if policy.predictor is None else policies.build_predictor(policy.predictor, tuned_on)
    wanted: str | Policy = policy.name
    if policy.is_system:
        try:
            wanted = built_system(policy.name, policy.settings, tuned_on, fleet)
        except (PluginError, UnknownNameError):  # a mistake, no result
            raise
        except InputError as error:
            return Refusal(None, str(error))
    found = built_policy(wanted, tuned_on, fleet, policy.router, predictor)
    if isinstance(found, Unavailable):
        return Refusal(found.information.label, found.reason)
    try:
        require_roles(found, fleet)
    except InputError as error:
        return Refusal(found.information.label, str(error))
    return found
