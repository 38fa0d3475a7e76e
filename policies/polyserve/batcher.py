"""Batches of PolyServe's servers: decodes first, and as much prompt as the tier's time per token leaves room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.group import Role
from orsched.policy import Batcher
from orsched.service import Batch
from policies.parts.pressure import preempt_last
from policies.polyserve.chunking import ChunkRule, Seconds
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
        running = len(view.running)
        if running > view.free_blocks:
            victims = preempt_last(view)
            if victims:
                return Plan(preempt=victims, wake_on_arrival=False, max_steps=1)
        waiting, prefilling = view.waiting, view.prefilling
        if not prefilling:
            if not waiting:
                return DECODE_ALL
            if running >= view.max_num_seqs:
                return DECODE_UNDISTURBED
        return self._with_prompts(view)

    def _with_prompts(self, view: InstanceView) -> Plan:
        """Fill an iteration with prompts, those in progress first, in the order in which they came."""
        mixed = _Mixed(view)
        tpot_s = self.tiers.tpot_s[0 if view.tier is None else self.tiers.by_label.get(view.tier, 0)]
        free = view.free_blocks - view.growth_blocks()
        chunks: list[Chunk] = []
        for request, done in view.prefilling.items():
            tokens = self.chunks(mixed.after(done), mixed.prompt, view.prompt_left(request), tpot_s)
            blocks = max(0, view.blocks_for(done + tokens) - view.held_blocks(request))
            if blocks > free:
                return Plan(preempt=(request,), wake_on_arrival=False, max_steps=1)
            if tokens:
                chunks.append(Chunk(request, tokens))
                mixed.add(done, tokens)
                free -= blocks
            if tokens < view.prompt_left(request):
                return Plan(tuple(chunks)) if chunks else DECODE_UNDISTURBED
        running = len(view.running)
        for request in view.waiting:
            if running >= view.max_num_seqs:
                break
            left = view.prompt_tokens[request]
            tokens = self.chunks(mixed.after(0), mixed.prompt, left, tpot_s)
            free -= view.blocks_for(tokens)
            if not tokens or free < 0:
                break
            chunks.append(Chunk(request, tokens))
            mixed.add(0, tokens)
            running += 1
            if tokens < left:
                break
        return Plan(tuple(chunks)) if chunks else DECODE_UNDISTURBED


class _Mixed:
    """The iteration as it fills up."""

    __slots__ = ("_attention", "_kv_tokens", "_past", "_seqs", "_service", "prompt")

    def __init__(self, view: InstanceView) -> None:
        self.prompt = 0
        self._attention = 0.0
        self._past = 0
        self._seqs = view.decoding()
        self._kv_tokens = view.decoding_tokens()
        self._service = view.hardware.service

    def after(self, past: int) -> Seconds:
        """Duration, seconds, by the tokens of one more chunk, of a prompt with `past` tokens cached."""
        prompt, attention, total_past = self.prompt, self._attention, self._past + past
        seqs, kv_tokens, service_s = self._seqs, self._kv_tokens, self._service.iteration_s

        def iteration_s(tokens: int) -> float:
            worth = attention + tokens * (past + 0.5 * tokens)
            return service_s(Batch(prompt + tokens, worth, total_past, seqs, kv_tokens))

        return iteration_s

    def add(self, past: int, tokens: int) -> None:
        """Take a chunk in."""
        self.prompt += tokens
        self._attention += tokens * (past + 0.5 * tokens)
        self._past += past


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
