"""Online policies: one file per published system, built from one-method parts, found by name."""

from policies.registry import RECIPES, ROUTERS, Recipe, get, get_router, policy_names, router_names
from policies.wait import Wait

__all__ = ["RECIPES", "ROUTERS", "Recipe", "Wait", "get", "get_router", "policy_names", "router_names"]
