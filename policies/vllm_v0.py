"""vLLM v0: prefill-only batches first, decode otherwise, a watermark at admission, preempt the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.policy import Policy
from policies.parts.pressure import preempt_last, require_watermark, watermark_blocks
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class PrefillFirst:
    """Whole prompts of waiting requests in batches of their own; decode only when none can be admitted.

    Admission is first come first served and stops at the first request that does not fit (head-of-line blocking).

    Parameters
    ----------
    min_batched_tokens : int
        A prefill batch holds at most ``max(context length of the deployment, min_batched_tokens)`` prompt tokens.
    max_num_seqs : int
        Most running requests.
    watermark : float
        Share of KV blocks that an admission leaves free.
    """

    min_batched_tokens: int = 2048
    max_num_seqs: int = 256
    watermark: float = 0.01

    def __post_init__(self) -> None:
        require_watermark(self.watermark)
        for name in ("min_batched_tokens", "max_num_seqs"):
            check_whole(self, name)

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        running = len(view.running)
        waiting = view.waiting
        if waiting:
            limit = min(self.max_num_seqs, view.max_num_seqs)
            free = view.free_blocks - watermark_blocks(view, self.watermark)
            budget = max(view.context_tokens, self.min_batched_tokens)
            chunks: list[Chunk] = []
            for request in waiting:
                tokens = view.prompt_tokens[request]
                blocks = view.blocks_for(tokens)
                if tokens > budget or blocks > free or running >= limit:
                    break
                chunks.append(Chunk(request, tokens))
                budget -= tokens
                free -= blocks
                running += 1
            if chunks:
                return Plan(tuple(chunks), decode=())
        if running > view.free_blocks:
            victims = preempt_last(view)
            if victims:
                return Plan(preempt=victims, wake_on_arrival=False, max_steps=1)
        return DECODE_UNDISTURBED if waiting else DECODE_ALL


def vllm_v0(max_num_seqs: int = 256, watermark: float = 0.01) -> Policy:
    """The default scheduler of vLLM 0.4.x (block manager watermark 0.01, 256 requests, recompute preemption)."""
    return Policy("vllm-v0", PrefillFirst(max_num_seqs=max_num_seqs, watermark=watermark))


RECIPES = (fixed(vllm_v0, "vLLM 0.4.x: prefill-only batches first, 256 requests, watermark 1%, preempt last"),)
