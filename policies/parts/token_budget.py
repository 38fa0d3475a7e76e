"""Chunked-prefill scheduling under one token budget per step: the rule vLLM v1 and Sarathi-Serve share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from policies.parts.pressure import preempt_last, require_watermark, watermark_blocks

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """First come first served; a step spends a token budget on running requests first, then on waiting ones.

    Every decode takes one token. A prompt in progress takes what is left of the budget; new prompts follow in order of
    arrival, cut to the budget. When decode growth does not fit, the last admitted request is preempted
    and recomputed, but for what the instance still retains of it; the step that preempts admits nobody, and a prompt in
    progress pauses for that step.

    Parameters
    ----------
    max_num_batched_tokens : int
        Token budget of a step.
    max_num_seqs : int
        Most running requests, at most the budget.
    reserve_prompt : bool
        Whether admission sets aside KV memory for the whole prompt or for each chunk as it comes.
    watermark : float
        Share of the KV blocks that an admission must leave free.
    """

    max_num_batched_tokens: int
    max_num_seqs: int
    reserve_prompt: bool = False
    watermark: float = 0.0

    def __post_init__(self) -> None:
        require_watermark(self.watermark)
        check_whole(self, "max_num_batched_tokens")
        check_whole(self, "max_num_seqs", most=self.max_num_batched_tokens)

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        running = len(view.running)
        free = view.free_blocks
        if running > free:
            victims = preempt_last(view)
            if victims:
                return Plan(preempt=victims, wake_on_arrival=False, max_steps=1)
        waiting, prefilling = view.waiting, view.prefilling
        if not prefilling:
            if not waiting:
                return DECODE_ALL
            if running >= self.max_num_seqs or running >= view.max_num_seqs:
                return DECODE_UNDISTURBED
        chunks: list[Chunk] = []
        budget = self.max_num_batched_tokens - running
        free -= view.growth_blocks()
        taken = view.free_blocks - free
        for request, done in prefilling.items():
            budget += 1
            tokens = min(view.prompt_left(request), budget)
            blocks = view.missing_blocks(request, done + tokens)
            if blocks > free:
                return Plan(preempt=(request,), wake_on_arrival=False, max_steps=1)
            chunks.append(Chunk(request, tokens))
            budget -= tokens
            free -= blocks
            taken += blocks
        if self.watermark:
            free -= watermark_blocks(view, self.watermark)
        limit = self.max_num_seqs if self.max_num_seqs < view.max_num_seqs else view.max_num_seqs
        for request in waiting:
            if budget <= 0 or running >= limit:
                break
            prompt = view.prompt_tokens[request]
            reused = view.retained_tokens(request, taken) if view.retains_kv else 0
            left = prompt - reused
            tokens = left if left < budget else budget
            held = prompt if self.reserve_prompt else reused + tokens
            blocks = view.blocks_for(held)
            free -= blocks
            if free < 0:
                break
            taken += blocks - view.blocks_for(reused) if reused else blocks
            chunks.append(Chunk(request, tokens, held, 0, reused))
            budget -= tokens
            running += 1
        return Plan(tuple(chunks)) if chunks else DECODE_UNDISTURBED
