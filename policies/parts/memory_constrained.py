"""Admission while memory suffices in every future iteration: the check that MC-SF and its relatives share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from policies.parts.kv_projection import KVProjection
from policies.parts.pressure import outgrown, preempt_last

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def queue_order(view: InstanceView) -> Iterable[int]:
    """Waiting requests in the order of the queue."""
    return view.waiting


@dataclass(frozen=True, slots=True)
class MemoryConstrained:
    """Keep all residents; start waiting requests in order while no future iteration exceeds the memory.

    Admission stops at the first request that does not fit. Nothing is ever preempted, unless predicted lengths were too
    short: a request that outlives its prediction counts with one more iteration (ours), and when the next one does not
    fit, `victims` says who is preempted.

    Parameters
    ----------
    max_num_seqs : int
        Most running requests.
    victims : callable
        ``victims(view)``: requests to preempt until the next decode iteration fits, () when it does. By default the
        latest admitted.
    candidates : callable
        ``candidates(view)``: waiting requests in the order in which they are tried; by default that of the queue.
    """

    max_num_seqs: int = 256
    victims: Callable[[InstanceView], tuple[int, ...]] = preempt_last
    candidates: Callable[[InstanceView], Iterable[int]] = queue_order

    def __post_init__(self) -> None:
        check_whole(self, "max_num_seqs")
        for field in ("victims", "candidates"):
            check_has(self, field, "a function of the view", "__call__")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        if relief := outgrown(view, self.victims):
            return relief
        if not view.waiting:
            return DECODE_ALL
        running = view.num_running
        limit = min(self.max_num_seqs, view.max_num_seqs)
        if running >= limit:
            return DECODE_UNDISTURBED
        future = KVProjection.of(view)
        free = view.free_blocks - view.growth_blocks()
        chunks: list[Chunk] = []
        for request in self.candidates(view):
            prompt = view.prompt_tokens[request]
            iterations = view.output_tokens(request) - view.emitted_tokens(request)
            free -= view.blocks_for(prompt)
            if free < 0:
                break
            if not future.fits(prompt, iterations):
                if not chunks:
                    return Plan(max_steps=future.earliest(prompt, iterations))
                break
            future.start(request, prompt, iterations)
            chunks.append(Chunk(request, prompt))
            running += 1
            if running >= limit:
                break
        return Plan(tuple(chunks)) if chunks else DECODE_ALL
