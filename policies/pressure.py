"""KV memory under pressure: the watermark, and preempting the last admitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def preempt_last(view: InstanceView) -> tuple[int, ...]:
    """Requests to preempt, latest admitted first, until one more decode iteration fits; () when it fits now."""
    free, need = view.free_blocks, view.growth_blocks()
    victims: list[int] = []
    for request in view.latest_first():
        if need <= free:
            break
        victims.append(request)
        need -= view.needs_block(request)
        free += view.held_blocks(request)
    return tuple(victims)


def watermark_blocks(view: InstanceView, share: float) -> int:
    """Blocks an admission must leave free; none when nothing runs, so that a lone request can always start."""
    return int(share * view.capacity_blocks) if view.running else 0


def require_watermark(share: float) -> None:
    """Refuse a watermark that is not a share of the memory."""
    if not 0 <= share < 1:
        raise InputError(f"watermark = {share!r}: must be a share of the KV blocks, 0 <= watermark < 1")
