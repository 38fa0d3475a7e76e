"""Online policies: one file per published system, built from one-method parts, found by name."""

from policies.fleet_systems import fleet_system, fleet_system_names
from policies.parts.pressure import preempt_last
from policies.predictors import PREDICTORS, build_predictor, get_predictor, predictor_names
from policies.recipe import Recipe
from policies.registry import RECIPES, ROUTERS, build, get_recipe, get_router, origin, policy_names, router_names
from policies.system import System
from policies.wait import Wait

__all__ = [
    "PREDICTORS",
    "RECIPES",
    "ROUTERS",
    "Recipe",
    "System",
    "Wait",
    "build",
    "build_predictor",
    "fleet_system",
    "fleet_system_names",
    "get_predictor",
    "get_recipe",
    "get_router",
    "origin",
    "policy_names",
    "predictor_names",
    "preempt_last",
    "router_names",
]
