"""Who decides in a task, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import policies
from experiments.build import Unavailable, built_policy
from experiments.tasks.path_choice import PathChoice
from experiments.tasks.plugin_code import require_plugin_code
from experiments.tasks.workload_choice import source_for
from orsched.policy import Policy


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A policy of the registry, with its predictor and router.

    Parameters
    ----------
    name : str
        Registry name.
    predictor : str, optional
        Predictor of output lengths; None: what the policy declares.
    router : str, optional
        Router of a fleet; None: the policy's own, or join the shortest queue.
    code : str, optional
        Fingerprint of a policy that a plugin has added (`plugin_code`); None for ours.
    """

    name: str
    predictor: str | None = None
    router: str | None = None
    code: str | None = None

    @property
    def facts(self) -> dict[str, object]:
        """What decides how it acts."""
        return {"name": self.name, "predictor": self.predictor, "router": self.router, "code": self.code}

    @property
    def shown(self) -> str:
        """One line."""
        predicted = "" if self.predictor is None else f" with {self.predictor}"
        return self.name + predicted + ("" if self.router is None else f" behind {self.router}")


def built(policy: PolicyChoice, path: PathChoice) -> Policy | Unavailable:
    """Build it for the law of the path at its load: tuned on the whole workload, never on the path.

    Raises
    ------
    UnknownNameError
        For an unknown policy, predictor or router.
    InputError
        When a policy of a plugin is not the one that the task was made with.
    """
    return _built(policy, replace(path, requests=0, seed=0, replication=0))


@lru_cache(maxsize=128)
def _built(policy: PolicyChoice, law: PathChoice) -> Policy | Unavailable:
    require_plugin_code(policy.name, policy.code)
    tuned_on = law.brought(source_for(law.workload, law.fleet).whole())
    predictor = None if policy.predictor is None else policies.build_predictor(policy.predictor, tuned_on)
    return built_policy(policy.name, tuned_on, law.fleet.fleet(), policy.router, predictor)
