"""Memory-constrained shortest first (MC-SF, arXiv 2502.07115): admit by output length while future memory suffices."""

from __future__ import annotations

from orsched.policy import Information, Policy
from policies.parts.memory_constrained import MemoryConstrained
from policies.recipe import fixed
from policies.sjf import shortest_output


def mc_sf(max_num_seqs: int = 256) -> Policy:
    """MC-SF with the true output lengths as predictions.

    With the truth it is also H-SF, hindsight shortest first, the benchmark of arXiv 2508.14544 (`policies.a_min`).

    Notes
    -----
    The paper's rounds take one unit of time whatever they hold, and its memory counts single tokens: a request of
    prompt ``s`` holds ``s + j`` while it makes its token ``j``. Here that is a prompt of ``s + 1`` tokens, whose whole
    prefill shares the iteration that makes token 1 with the decodes of the residents; with constant
    iteration times, blocks of one token and arrivals at whole times the schedules are equal. How prompts are to be
    processed when they take time is not in the paper. The limit on running requests is the deployment's.
    """
    return Policy("mc-sf", MemoryConstrained(max_num_seqs), information=Information.ORACLE, order=shortest_output)


RECIPES = (
    fixed(mc_sf, "MC-SF: shortest output first with oracle lengths, whole prompts, memory checked for all future"),
)
