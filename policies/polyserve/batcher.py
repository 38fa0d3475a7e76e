"""Batches of PolyServe's servers: decodes first, and as much prompt as the tier's time per token leaves room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.group import Role
from orsched.policy import Batcher
from orsched.service import Batch
from policies.parts.pressure import preempt_last
from policies.polyserve.chunking import ChunkRule
from policies.polyserve.tiers import Tiers

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class TierBatches:
    """First come first served, and blind to objectives but for the server's tier, which sizes the chunks.

    A server without a tier goes by the tightest. Chunks take memory as they come; when decodes run out of it, the
    latest admitted is preempted and recomputed, as in vLLM.

    Parameters
    ----------
    tiers : Tiers
        The tiers.
    chunks : ChunkRule
        How large chunks are.
    """

    tiers: Tiers
    chunks: ChunkRule

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        running, free = len(view.running), view.free_blocks
        if running > free:
            victims = preempt_last(view)
            if victims:
                return Plan(preempt=victims, wake_on_arrival=False, max_steps=1)
        waiting, prefilling = view.waiting, view.prefilling
        if not prefilling:
            if not waiting:
                return DECODE_ALL
            if running >= view.max_num_seqs:
                return DECODE_UNDISTURBED
        return self._with_prompts(view, free)

    def _with_prompts(self, view: InstanceView, free: int) -> Plan:
        """Fill an iteration with prompts, those in progress first, in the order in which they came."""
        free -= view.growth_blocks()
        tpot_s = self.tiers.tpot_s[0 if view.tier is None else self.tiers.by_label.get(view.tier, 0)]
        sized, prompt_tokens = self.chunks, view.prompt_tokens
        service_s, seqs, kv_tokens = view.hardware.service.iteration_s, view.decoding(), view.decoding_tokens()
        prompt = past = past_total = 0
        attention = 0.0

        def iteration_s(tokens: int) -> float:
            """Duration of the iteration, as filled so far, with a chunk after `past` tokens; seconds."""
            worth = attention + tokens * (past + 0.5 * tokens)
            return service_s(Batch(prompt + tokens, worth, past_total + past, seqs, kv_tokens))

        chunks: list[Chunk] = []
        for request, past in view.prefilling.items():
            left = prompt_tokens[request] - past
            tokens = sized(iteration_s, prompt, left, tpot_s)
            blocks = view.missing_blocks(request, past + tokens)
            if blocks > free:
                return Plan(preempt=(request,), wake_on_arrival=False, max_steps=1)
            if tokens:
                chunks.append(Chunk(request, tokens))
                attention += tokens * (past + 0.5 * tokens)
                prompt += tokens
                past_total += past
                free -= blocks
            if tokens < left:
                return Plan(tuple(chunks)) if chunks else DECODE_UNDISTURBED
        past = 0
        running = len(view.running)
        for request in view.waiting:
            if running >= view.max_num_seqs:
                break
            left = prompt_tokens[request]
            tokens = sized(iteration_s, prompt, left, tpot_s)
            free -= view.blocks_for(tokens)
            if not tokens or free < 0:
                break
            chunks.append(Chunk(request, tokens))
            if tokens < left:
                break
            attention += tokens * (0.5 * tokens)
            prompt += tokens
            running += 1
        return Plan(tuple(chunks)) if chunks else DECODE_UNDISTURBED


@dataclass(frozen=True, slots=True)
class BatchesByRole:
    """One batcher for servers that only process prompts, another for all others.

    Parameters
    ----------
    prefill : Batcher
        Of servers of role `Role.PREFILL`.
    others : Batcher
        Of all others.
    """

    prefill: Batcher
    others: Batcher

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        return self.prefill(view) if view.role is Role.PREFILL else self.others(view)
