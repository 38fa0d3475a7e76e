"""A_max (arXiv 2508.14544): plan with the upper ends of predicted intervals, so that memory never overflows."""

from __future__ import annotations

from orsched.policy import Information, Policy
from orsched.prediction import Predictor
from policies.parts.memory_constrained import MemoryConstrained
from policies.predictors import Interval
from policies.recipe import fixed
from policies.sjf import shortest_output

INTERVALS = Interval(0.5)
"""Where predictions come from unless told otherwise (ours): the lower end of an interval is half of the upper."""


def a_max(predictor: Predictor = INTERVALS, max_num_seqs: int = 256) -> Policy:
    """A_max: the check of MC-SF and its order, with the upper end of the interval as the output length.

    Parameters
    ----------
    predictor : Predictor
        Gives the intervals; nothing is preempted as long as its upper ends hold.
    max_num_seqs : int
        Most running requests.

    Notes
    -----
    The rule is known to us at second hand, for requests that are all there at time 0 with one prompt length and one
    interval. Arrivals, different prompts and intervals, and an upper end beyond the memory, which counts as what fits,
    are ours. Its benchmark, hindsight shortest first (H-SF), is `policies.mc_sf` with the truth.
    """
    policy = Policy(
        "a-max",
        MemoryConstrained(max_num_seqs),
        information=Information.ORACLE,
        order=shortest_output,
        plans_with="high",
    )
    return policy.predicted_by(predictor)


RECIPES = (fixed(a_max, f"A_max: MC-SF with the upper ends of predicted intervals ({INTERVALS.name})"),)
