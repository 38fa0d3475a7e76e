"""RAD (Bari, Hegde, de Veciana; arXiv 2508.01002): whole tiles of prompt tokens, or all decodes, never both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_whole
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.errors import InputError
from orsched.policy import Policy
from policies.parts.pressure import outgrown, require_watermark, watermark_blocks
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class TiledModes:
    """Prefill Mode fills tiles with prompt tokens, Decode Mode gives every decode one token.

    Decode Mode when `tile_tokens` requests decode or nobody is left to prefill, otherwise Prefill Mode: a chunk of
    `chunk_tokens` of the oldest prompt, while the decodes pause. A prompt ends in Prefill Mode only, so that no more
    than `tile_tokens` requests ever decode. When prompts are multiples of the chunk, every iteration fills its tiles,
    unless all requests present decode and are fewer than a tile.

    Parameters
    ----------
    tile_tokens : int
        ``b_col``: tokens that one pass of the matrix products takes; most requests that decode.
    chunk_tokens : int
        ``b_lcm``, the least common multiple of the tile's sides: prompt tokens of an iteration in Prefill Mode.
    watermark : float
        Share of the KV blocks that starting a prompt must leave free.

    Notes
    -----
    The two modes: the paper's Algorithm 1 with cycle parameter N infinite, as third parties report it; we have not
    read the algorithm itself. With a finite N it also drains the active requests from time to time, of which we have
    no precise rule.

    The paper assumes prompts that are multiples of `chunk_tokens` and memory for `tile_tokens` requests of the largest
    size. Where that is not so, the rest is ours: a chunk that ends a prompt is filled up from the next ones; a prompt
    starts when the memory for all of it is there, beside the watermark, and until then the others decode; when
    decode growth does not fit, the last admitted is preempted.
    """

    tile_tokens: int = 128
    chunk_tokens: int = 128
    watermark: float = 0.01

    def __post_init__(self) -> None:
        require_watermark(self.watermark)
        for name in ("tile_tokens", "chunk_tokens"):
            check_whole(self, name)
        if self.chunk_tokens % self.tile_tokens:
            raise InputError(
                f"tile_tokens = {self.tile_tokens}, chunk_tokens = {self.chunk_tokens}: need a chunk of whole tiles"
            )

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        limit = min(self.tile_tokens, view.max_num_seqs)
        full = view.num_running - len(view.prefilling) >= limit
        if not full:
            chunks = self._chunks(view, limit)
            if chunks:
                return Plan(chunks, decode=())
        if relief := outgrown(view):
            return relief
        return DECODE_UNDISTURBED if full or view.waiting else DECODE_ALL

    def _chunks(self, view: InstanceView, limit: int) -> tuple[Chunk, ...]:
        budget = self.chunk_tokens
        chunks: list[Chunk] = []
        for request in view.prefilling:
            tokens = min(view.prompt_left(request), budget)
            if tokens:
                chunks.append(Chunk(request, tokens))
            budget -= tokens
        seats = limit - view.num_running
        free = view.free_blocks - watermark_blocks(view, self.watermark)
        for request in view.waiting:
            prompt = view.prompt_tokens[request]
            free -= view.blocks_for(prompt)
            if budget <= 0 or seats <= 0 or free < 0:
                break
            tokens = min(prompt, budget)
            chunks.append(Chunk(request, tokens, prompt))
            budget -= tokens
            seats -= 1
        return tuple(chunks)


def rad(tile_tokens: int = 128, chunk_tokens: int = 128, watermark: float = 0.01) -> Policy:
    """RAD with infinite cycles; tiles of 128 tokens as in the third-party model of it that we know."""
    return Policy("rad", TiledModes(tile_tokens, chunk_tokens, watermark))


RECIPES = (
    fixed(rad, "RAD, infinite cycles: a tile of 128 prompt tokens or all decodes, at most 128 requests; memory ours"),
)
