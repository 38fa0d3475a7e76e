"""WAIT and its relatives (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320)."""

from orsched.policy import Information
from policies.recipe import Recipe
from policies.wait.authors_code import AnyClassFires, AuthorsWait
from policies.wait.authors_nested import GatedSegments
from policies.wait.authors_nested_wait import AuthorsNestedWait
from policies.wait.nested import Nesting
from policies.wait.nested_wait import NestedWait
from policies.wait.wait import KeepDecoding, Wait, Waiting

RECIPES = (
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
    Recipe(
        "nested-wait",
        "Nested WAIT (fourth version): two segments, the paper's conditions, no lengths known",
        Information.NONE,
        NestedWait().from_fluid,
    ),
    Recipe(
        "nested-wait-mean",
        "Nested WAIT with stages planned as full as they are on average (ours): feasible at higher loads",
        Information.NONE,
        NestedWait().from_mean_occupancy,
    ),
    Recipe(
        "wait-c0",
        "WAIT as in the authors' code of February 2025: one class that is ready fires all; at most 64 in service",
        Information.CLASS,
        AuthorsWait().from_law,
    ),
    Recipe(
        "nested-wait-c1",
        "Nested WAIT as in the authors' code of 2026: segments gated one by one, entry does not wait; cap 100 ours",
        Information.NONE,
        AuthorsNestedWait().from_law,
    ),
)

__all__ = [
    "RECIPES",
    "AnyClassFires",
    "AuthorsNestedWait",
    "AuthorsWait",
    "GatedSegments",
    "KeepDecoding",
    "NestedWait",
    "Nesting",
    "Wait",
    "Waiting",
]
