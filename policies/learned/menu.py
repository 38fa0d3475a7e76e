"""The rules a learned policy chooses from unless it is given others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_whole
from orsched.engine.plan import DECODE_ALL, Plan
from policies.learned.rule import Rule, Within, no_prompt_in_progress, something_decodes
from policies.parts.pressure import outgrown
from policies.parts.token_budget import TokenBudget
from policies.vllm_v0 import PrefillFirst

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class DecodeOnly:
    """Decode what decodes and process no prompt, for a few iterations; the latest admitted yields when memory is short.

    Parameters
    ----------
    most_steps : int
        Iterations after which the choice is over, if prompts wait by then.
    """

    most_steps: int = 16

    def __post_init__(self) -> None:
        check_whole(self, "most_steps")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan these iterations."""
        plan = outgrown(view)
        if plan is not None:
            return plan
        return Plan(max_steps=self.most_steps) if view.waiting or view.prefilling else DECODE_ALL


def chunked(name: str, batch: TokenBudget) -> Rule:
    """A rule that fills a token budget, allowed while the running requests alone do not exceed it."""
    return Rule(name, batch, Within(batch.max_num_batched_tokens))


MENU = (
    Rule("decode", DecodeOnly(), something_decodes),
    *(chunked(f"chunk-{tokens}", TokenBudget(tokens, 256)) for tokens in (256, 512, 1024, 2048, 4096, 8192)),
    chunked("spare-10%", TokenBudget(2048, 256, reserve_prompt=True, watermark=0.1)),
    chunked("sarathi", TokenBudget(512, 128, reserve_prompt=True, watermark=0.01)),
    Rule("whole", PrefillFirst(), no_prompt_in_progress),
)
"""Ten rules, from no prompts to prompts alone.

==============  ========================================================================================================
``decode``      16 iterations without prompt tokens
``chunk-256``   decodes first, then prompt chunks, up to 256 tokens in all; at most 256 requests; blocks as chunks come
...             the same with 512, 1024, 2048 (vLLM v1), 4096 and 8192 tokens
``spare-10%``   2048 tokens; admits only what leaves a tenth of the KV blocks free, with its whole prompt set aside
``sarathi``     Sarathi-Serve's defaults: 512 tokens, at most 128 requests, whole prompts set aside, 1% left free
``whole``       vLLM v0: whole prompts in iterations of their own
==============  ========================================================================================================

Always chosen, ``chunk-2048``, ``sarathi`` and ``whole`` are the registry's vllm-v1, sarathi and vllm-v0.
"""
