"""What a mode programme optimises."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.bound import Sense

MULTIPLIER = "multiplier"
"""Quantity of the capacity objective: the factor on all demands."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One quantity or product, averaged over time and summed over instances, to be least or most.

    Parameters
    ----------
    quantity : str
        ``"multiplier"``, one of `fluid.modes.mode.QUANTITIES`, or a product.
    sense : {"lower", "upper"}
        Which side the optimum bounds: ``lower`` minimises, ``upper`` maximises.
    """

    quantity: str
    sense: Sense


CAPACITY = Objective(MULTIPLIER, "upper")
"""Largest factor by which all demands together can be met."""

MEAN_NUMBER = Objective("present", "lower")
"""Least mean number of requests in the system; over the arrival rate it bounds mean latency (Little)."""

POWER = Objective("power_w", "lower")
"""Least mean power, watts."""

COST = Objective("cost_per_h", "lower")
"""Least cost, dollars per hour."""


def most(product: str) -> Objective:
    """Largest rate of a product, such as side work, beside the demand."""
    return Objective(product, "upper")
