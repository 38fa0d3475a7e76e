"""A_min (arXiv 2508.14544): plan with lower bounds of lengths, raise them as tokens appear, evict on overflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.policy import Information, Policy
from orsched.prediction import Predictor
from policies.a_max import INTERVALS
from policies.parts.memory_constrained import MemoryConstrained
from policies.parts.pressure import preempt_until_it_fits
from policies.recipe import fixed
from policies.sjf import shortest_output

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def shortest_bound_first(view: InstanceView) -> tuple[int, ...]:
    """Requests to evict until the next decode iteration fits: by increasing lower bound, ties the later one first.

    The last one left always fits, so something runs.
    """
    short = view.growth_blocks() - view.free_blocks
    if short <= 0:
        return ()
    order = sorted(view.running, key=lambda r: (view.output_tokens(r), -r))
    return preempt_until_it_fits(view, order, short, lambda request: True)


def a_min(predictor: Predictor = INTERVALS, max_num_seqs: int = 256) -> Policy:
    """A_min: the check of MC-SF and its order, with lower bounds that grow as the output lengths.

    A request's bound is the lower end of its interval, or one more than the tokens it has emitted. When the next
    iteration does not fit, requests are evicted by increasing bound; each keeps its bound for its next start.

    Parameters
    ----------
    predictor : Predictor
        Gives the intervals; only the lower ends are used.
    max_num_seqs : int
        Most running requests.

    Notes
    -----
    The rule is known to us at second hand, for requests that are all there at time 0 with one prompt length and one
    interval. In the paper an evicted request loses its tokens; here it keeps them and recomputes their KV cache in a
    longer prompt, as in every policy of this package (`fluid.hindsight.a_min_completions` is the rule with the tokens
    lost). Ours: arrivals, different prompts and intervals, ties, and that an iteration which evicts starts nobody.
    Every iteration emits a token that stays emitted, so a run ends.
    """
    policy = Policy(
        "a-min",
        MemoryConstrained(max_num_seqs, shortest_bound_first),
        information=Information.ORACLE,
        order=shortest_output,
        plans_with="low",
    )
    return policy.predicted_by(predictor)


RECIPES = (
    fixed(a_min, f"A_min: MC-SF with lower bounds that grow as tokens appear, evicts the shortest ({INTERVALS.name})"),
)
