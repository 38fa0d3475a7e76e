"""Policies and routers by name: our own, and policies of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orsched.errors import unknown_name
from orsched.fleet import Fleet
from orsched.policy import Policy, Router
from orsched.workloads import Workload
from policies import (
    a_max,
    a_min,
    alpha_protection,
    andes,
    fastserve,
    learned_ranking,
    mc_benchmark,
    mc_sf,
    multi_bin,
    orca,
    prompts_first,
    rad,
    routers,
    sarathi,
    sjf,
    sorted_f,
    srpt,
    svf,
    vllm_v0,
    vllm_v1,
    vtc,
    wait,
)
from policies.plugins import Plugin, plugin, recipe_of, usable_names
from policies.recipe import Recipe


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
    PluginError
        When it is a plugin's that does not load, fails, or is not what it announces.
    InputError
        When the policy cannot run there (WAIT without feasible thresholds), or several distributions claim its name.
    """
    return get_recipe(name).build(workload, fleet)


def get_recipe(name: str) -> Recipe:
    """Look up how to build a policy.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    PluginError
        When a plugin of that name does not load.
    InputError
        When several distributions claim it.
    """
    recipe = RECIPES.get(name) if isinstance(name, str) else None
    return recipe_of(_plugin(name)) if recipe is None else recipe


def _plugin(name: str) -> Plugin:
    found = plugin(name) if isinstance(name, str) else None
    if found is None:
        raise unknown_name("policy", name, policy_names())
    return found


def policy_names() -> list[str]:
    """Names of all policies, those of plugins included that can be asked for, sorted."""
    return sorted({*RECIPES, *usable_names()})


def origin(name: str) -> str:
    """Name and version of the distribution a policy comes from, as ``"orsched 0.1.0"``; it imports nothing.

    Raises
    ------
    UnknownNameError
        When there is no policy of that name.
    InputError
        When several distributions claim it.
    """
    if isinstance(name, str) and name in RECIPES:
        from importlib.metadata import version  # here: it is slow to import

        return f"orsched {version('orsched')}"
    return _plugin(name).origin


def get_router(name: str) -> Router:
    """Look up a router by name.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if not isinstance(name, str) or name not in ROUTERS:
        raise unknown_name("router", name, ROUTERS)
    return ROUTERS[name]


def router_names() -> list[str]:
    """Names of all routers, sorted."""
    return sorted(ROUTERS)


_HOMES = (
    vllm_v0,
    vllm_v1,
    sarathi,
    prompts_first,
    orca,
    sjf,
    mc_sf,
    mc_benchmark,
    alpha_protection,
    svf,
    sorted_f,
    a_max,
    a_min,
    multi_bin,
    rad,
    srpt,
    fastserve,
    vtc,
    learned_ranking,
    andes,
    wait,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({recipe.name: recipe for home in _HOMES for recipe in home.RECIPES})

ROUTERS: Mapping[str, Router] = MappingProxyType(
    {
        "round-robin": routers.round_robin,
        "random": routers.random_instance,
        "power-of-two": routers.power_of_two,
        "jsq": routers.join_shortest_queue,
        "vllm-router": routers.vllm_router,
        "least-kv": routers.least_kv,
        "token-jsq": routers.token_jsq,
        "least-work": routers.LeastWork(),
        "lmetric": routers.lmetric,
        "linear": routers.LinearScore(),
        "aibrix": routers.AIBrix(),
        "cache-aware": routers.CacheAware(),
        "preble": routers.Preble(),
        "dynamo": routers.Dynamo(),
        "mooncake": routers.MooncakeConductor(),
        "slo-admission": routers.SLOAdmission(),
        "class-partition": routers.ClassPartition(),
    }
)
