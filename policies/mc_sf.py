"""Memory-constrained shortest first (MC-SF, arXiv 2502.07115): admit by output length while future memory suffices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.errors import InputError
from orsched.policy import Information, Policy
from policies.parts.kv_projection import KVProjection
from policies.recipe import fixed
from policies.sjf import shortest_output

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class MemoryConstrained:
    """Keep all residents; start waiting requests in queue order while no future iteration exceeds the memory.

    Admission stops at the first request that does not fit. Nothing is ever preempted.

    Parameters
    ----------
    max_num_seqs : int
        Most running requests.
    """

    max_num_seqs: int = 256

    def __post_init__(self) -> None:
        if self.max_num_seqs < 1:
            raise InputError(f"max_num_seqs = {self.max_num_seqs}: must be >= 1")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        waiting = view.waiting
        if not waiting:
            return DECODE_ALL
        running = view.num_running
        limit = min(self.max_num_seqs, view.max_num_seqs)
        if running >= limit:
            return DECODE_UNDISTURBED
        future = KVProjection(view)
        chunks: list[Chunk] = []
        for request in waiting:
            prompt, iterations = view.prompt_tokens[request], view.output_tokens(request)
            if not future.fits(prompt, iterations):
                if not chunks:
                    return Plan(max_steps=future.earliest(prompt, iterations))
                break
            future.start(prompt, iterations)
            chunks.append(Chunk(request, prompt))
            running += 1
            if running >= limit:
                break
        return Plan(tuple(chunks))


def mc_sf(max_num_seqs: int = 256) -> Policy:
    """MC-SF with the true output lengths as predictions.

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
