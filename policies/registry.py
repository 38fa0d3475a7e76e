"""Policies and routers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orsched.errors import unknown_name
from orsched.fleet import Fleet
from orsched.policy import Information, Policy, Router
from orsched.workloads import Workload
from policies import routers
from policies.mc_sf import mc_sf
from policies.orca import orca
from policies.sarathi import sarathi
from policies.sjf import sjf
from policies.srpt import srpt
from policies.vllm_v0 import vllm_v0
from policies.vllm_v1 import vllm_v1
from policies.wait import Wait


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to build a policy for a workload and a fleet.

    Parameters
    ----------
    name : str
        The policy's name.
    description : str
        One line: version and defaults.
    information : Information
        What it may know about output lengths.
    build : callable
        ``build(workload, fleet) -> Policy``. `workload` represents the law at the target load: class rates and bins
        may be learnt from it, the sample path to be served may not. Raises InputError when the policy cannot run.
    """

    name: str
    description: str
    information: Information
    build: Callable[[Workload, Fleet], Policy]


def build(name: str, workload: Workload, fleet: Fleet) -> Policy:
    """Build the named policy with its defaults.

    Parameters
    ----------
    name : str
        A name of `policy_names`.
    workload : Workload
        Stands for the law at the target load: class rates and bins may be learnt from it.
    fleet : Fleet
        What it will run on.

    Raises
    ------
    UnknownNameError
        When there is no policy of that name.
    InputError
        When the policy cannot run there (WAIT without feasible thresholds).
    """
    return get_recipe(name).build(workload, fleet)


def get_recipe(name: str) -> Recipe:
    """Look up how to build a policy.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if name not in RECIPES:
        raise unknown_name("policy", name, RECIPES)
    return RECIPES[name]


def policy_names() -> list[str]:
    """Names of all policies, sorted."""
    return sorted(RECIPES)


def get_router(name: str) -> Router:
    """Look up a router by name.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if name not in ROUTERS:
        raise unknown_name("router", name, ROUTERS)
    return ROUTERS[name]


def router_names() -> list[str]:
    """Names of all routers, sorted."""
    return sorted(ROUTERS)


def _fixed(make: Callable[[], Policy], description: str) -> Recipe:
    """A recipe for a policy whose defaults do not depend on the workload."""
    policy = make()
    return Recipe(policy.name, description, policy.information, lambda workload, fleet: policy)


_ALL = (
    _fixed(vllm_v0, "vLLM 0.4.x: prefill-only batches first, 256 requests, watermark 1%, preempt last"),
    _fixed(vllm_v1, "vLLM v1 (small): one budget of 2048 tokens, running first, 256 requests, preempt last"),
    _fixed(sarathi, "Sarathi-Serve: chunks of 512 tokens, 128 requests, watermark 1%, preempt last"),
    _fixed(orca, "Orca: iteration-level first come first served, longest context reserved, 256 requests"),
    _fixed(sjf, "Shortest output first with oracle lengths, whole prompts, true peak reserved, never preempts"),
    _fixed(mc_sf, "MC-SF: shortest output first with oracle lengths, whole prompts, memory checked for all future"),
    Recipe(
        "srpt",
        "Ours: fewest remaining tokens first with oracle lengths, chunks by the service model's price, never preempts",
        Information.ORACLE,
        srpt,
    ),
    Recipe(
        "wait",
        "WAIT, Algorithm 1, thresholds from the fluid solution, two output-length classes",
        Information.CLASS,
        Wait().from_fluid,
    ),
    Recipe(
        "wait-decoding",
        "Variant of WAIT (ours): admission waits for the thresholds, residents always decode",
        Information.CLASS,
        Wait().decoding_from_fluid,
    ),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({recipe.name: recipe for recipe in _ALL})

ROUTERS: Mapping[str, Router] = MappingProxyType(
    {
        "round-robin": routers.round_robin,
        "random": routers.random_instance,
        "power-of-two": routers.power_of_two,
        "jsq": routers.join_shortest_queue,
        "least-kv": routers.least_kv,
    }
)
