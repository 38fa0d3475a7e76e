"""Iteration-level scheduling that sets aside a request's peak KV memory at admission, so that nothing is preempted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from policies.parts.pressure import outgrown

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class Reserving:
    """Prompts and decodes share every iteration; a waiting request starts when its reservation fits.

    Requests are tried in queue order and admission stops at the first that does not fit. Requests that outgrow their
    reservation, because a predicted length was too short, take free blocks, and preempt the latest admitted when
    there are none.

    Parameters
    ----------
    peak_tokens : callable
        ``peak_tokens(view, request)``: KV tokens to set aside for the request's whole life.
    max_num_seqs : int
        Most running requests.
    arrivals_overtake : bool
        Whether a new arrival can come before the head of the queue, so that it must wake the policy.
    """

    peak_tokens: Callable[[InstanceView, int], int]
    max_num_seqs: int = 256
    arrivals_overtake: bool = False

    def __post_init__(self) -> None:
        check_whole(self, "max_num_seqs")
        check_has(self, "peak_tokens", "a function of the view and a request", "__call__")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        if relief := outgrown(view):
            return relief
        waiting = view.waiting
        if not waiting:
            return DECODE_ALL
        running = len(view.running)
        limit = min(self.max_num_seqs, view.max_num_seqs)
        if running >= limit:
            return DECODE_UNDISTURBED
        free = view.free_blocks - view.growth_blocks()
        chunks: list[Chunk] = []
        for request in waiting:
            peak = self.peak_tokens(view, request)
            blocks = view.blocks_for(peak)
            if blocks > free or running >= limit:
                break
            chunks.append(Chunk(request, view.prompt_tokens[request], peak))
            free -= blocks
            running += 1
        if chunks:
            return Plan(tuple(chunks))
        return DECODE_ALL if self.arrivals_overtake else DECODE_UNDISTURBED
