"""Prompts before decodes under a token limit, in whole or in chunks: batches of systems that keep the phases apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from orsched.checks import check_has, check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from policies.parts.pressure import preempt_last

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView

_PAUSED = "prefill-first: iterations in a row without the decodes"


class Cut(Protocol):
    """Decides how much of a prompt goes into a batch."""

    def __call__(self, left_tokens: int, budget_tokens: int, alone: bool, /) -> int:
        """Tokens of it, 0 for none; `alone` when no other prompt is in the batch yet."""
        ...


def whole(left_tokens: int, budget_tokens: int, alone: bool, /) -> int:
    """All of it or nothing; a prompt longer than the limit goes alone, since it would never go otherwise."""
    return left_tokens if alone or left_tokens <= budget_tokens else 0


def chunked(left_tokens: int, budget_tokens: int, alone: bool, /) -> int:
    """As much as the limit leaves."""
    return max(min(left_tokens, budget_tokens), 0)


@dataclass(frozen=True, slots=True)
class PromptsFirst:
    """Prompts first come first served, up to a token limit; decodes take part when they fit in what is left of it.

    A decode is one token. When the decodes of an instance do not all fit, all of them pause, but not more often than
    `most_pauses` times in a row. Memory is taken for whole prompts at their admission, and room is left for the next
    iteration of the decodes; when their growth does not fit, the last admitted are preempted and recomputed.

    Parameters
    ----------
    max_batch_tokens : int
        Token limit of an iteration.
    max_num_seqs : int
        Most requests admitted at a time; the instance may allow fewer.
    most_pauses : int
        Iterations in a row that the decodes may be left out.
    cut : Cut
        Whether prompts go in whole (`whole`) or in chunks (`chunked`).
    """

    max_batch_tokens: int
    max_num_seqs: int
    most_pauses: int
    cut: Cut = whole

    def __post_init__(self) -> None:
        check_whole(self, "max_batch_tokens")
        check_whole(self, "max_num_seqs")
        check_whole(self, "most_pauses", least=0)
        check_has(self, "cut", "a function of two numbers of tokens and a truth value", "__call__")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration, or decodes until something changes."""
        if len(view.running) > view.free_blocks:
            victims = preempt_last(view)
            if victims:
                return Plan(preempt=victims, wake_on_arrival=False, max_steps=1)
        waiting = view.waiting
        if not waiting and not view.prefilling:
            return DECODE_ALL
        decodes = len(view.running) - len(view.prefilling)
        chunks, left = self._prompts(view)
        if not chunks:
            return DECODE_UNDISTURBED
        paused = view.memo.get(_PAUSED, 0)
        if decodes and left < decodes and paused < self.most_pauses:
            view.memo[_PAUSED] = paused + 1
            return Plan(chunks, decode=())
        view.memo[_PAUSED] = 0
        return Plan(chunks)

    def _prompts(self, view: InstanceView) -> tuple[tuple[Chunk, ...], int]:
        """Chunks of the prompts in progress and of those admitted, and the tokens that they leave of the limit."""
        budget = self.max_batch_tokens
        chunks: list[Chunk] = []
        for request in view.prefilling:
            tokens = self.cut(view.prompt_left(request), budget, not chunks)
            if tokens:
                chunks.append(Chunk(request, tokens))
                budget -= tokens
        free = view.free_blocks - view.growth_blocks()
        seats = min(self.max_num_seqs, view.max_num_seqs) - len(view.running)
        for request in view.waiting:
            prompt = view.prompt_tokens[request]
            tokens = self.cut(prompt, budget, not chunks)
            free -= view.blocks_for(prompt)
            seats -= 1
            if not tokens or free < 0 or seats < 0:
                break
            chunks.append(Chunk(request, tokens, prompt))
            budget -= tokens
        return tuple(chunks), max(budget, 0)
