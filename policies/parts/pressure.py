"""KV memory under pressure: the watermark, and preempting the last admitted."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def preempt_last(view: InstanceView, cohorts: Collection[int] | None = None) -> tuple[int, ...]:
    """Requests to preempt, latest admitted first, until one more decode iteration fits; () when it fits now.

    Parameters
    ----------
    view : InstanceView
        The instance.
    cohorts : collection of int, optional
        Cohorts that will decode; None: all. The request of these that was admitted first is never preempted, so
        that something is left to run; alone it always fits.
    """
    free, need = view.free_blocks, view.growth_blocks(cohorts)
    if need <= free:
        return ()
    spared = next((r for r in view.running if cohorts is None or view.cohort_of(r) in cohorts), None)
    victims: list[int] = []
    for request in view.latest_first():
        if need <= free:
            break
        if request == spared:
            continue
        victims.append(request)
        if cohorts is None or view.cohort_of(request) in cohorts:
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
