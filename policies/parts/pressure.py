"""KV memory under pressure: the watermark, and who is preempted until an iteration fits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from orsched.checks import require_number
from orsched.engine.plan import Plan

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
    short = view.growth_blocks(cohorts) - view.free_blocks
    if short <= 0:
        return ()

    def decodes(request: int) -> bool:
        return cohorts is None or view.cohort_of(request) in cohorts

    spared = next((request for request in view.running if decodes(request)), None)
    return preempt_until_it_fits(view, (r for r in view.latest_first() if r != spared), short, decodes)


def preempt_until_it_fits(
    view: InstanceView, candidates: Iterable[int], short: int, decodes: Callable[[int], bool]
) -> tuple[int, ...]:
    """As many of the candidates, in their order, as must go for the next iteration to fit.

    Parameters
    ----------
    view : InstanceView
        The instance.
    candidates : iterable of int
        Residents; all of them must free enough.
    short : int
        Blocks that are missing; none go when it is not positive.
    decodes : callable
        ``decodes(request)``: whether the candidate would decode in that iteration, so that its growth is saved too.
    """
    victims: list[int] = []
    for request in candidates:
        if short <= 0:
            break
        victims.append(request)
        short -= view.held_blocks(request) + (view.needs_block(request) and decodes(request))
    return tuple(victims)


def outgrown(view: InstanceView, choose: Callable[[InstanceView], tuple[int, ...]] = preempt_last) -> Plan | None:
    """What to do when the next decode iteration of all does not fit: preempt whom `choose` says; None when it fits.

    The last line of a policy that admits by output lengths: with the true ones it always gets None. `choose` returns ()
    when the iteration fits; by default it takes the latest admitted.
    """
    if view.num_running <= view.free_blocks:
        return None
    victims = choose(view)
    return Plan(preempt=victims, wake_on_arrival=False, max_steps=1) if victims else None


def watermark_blocks(view: InstanceView, share: float) -> int:
    """Blocks an admission must leave free; none when nothing runs, so that a lone request can always start."""
    return int(share * view.capacity_blocks) if view.running else 0


def require_watermark(share: float) -> None:
    """Refuse a watermark that is not a share of the memory."""
    require_number("watermark", share, most=1, below=True)
