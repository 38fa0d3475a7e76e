"""WAIT and its relatives (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320)."""

from orsched.policy import Information
from policies.recipe import Recipe
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
)

__all__ = ["RECIPES", "KeepDecoding", "Wait", "Waiting"]
