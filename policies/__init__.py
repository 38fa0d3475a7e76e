"""Online policies: one file per published system, built from one-method parts, found by name."""

from policies.parts.pressure import preempt_last
from policies.recipe import Recipe
from policies.registry import RECIPES, ROUTERS, build, get_recipe, get_router, policy_names, router_names
from policies.wait import Wait

__all__ = [
    "RECIPES",
    "ROUTERS",
    "Recipe",
    "Wait",
    "build",
    "get_recipe",
    "get_router",
    "policy_names",
    "preempt_last",
    "router_names",
]
