"""LMETRIC: prompt tokens times batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.routers.frontier import Frontier

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


def lmetric(view: FleetView, request: int, /) -> int | None:
    """The least product of prompt tokens to process (the request's own uncached ones included) and requests.

    ``P_tokens * BS`` of "Simple is Better" (OSDI '26): no parameter. Prompt tokens of the queue count whether they are
    cached or not. Ties go to the fewest prompt tokens, then to the lowest index (ours; the product is 0 for every idle
    instance).

    Among instances with equally many requests and nothing cached of the prompt, the one with the shortest backlog is
    best: with those that have something cached they are all that can be least. O(distinct batch sizes + holders).
    """
    frontier = view.memo.get(("lmetric", view.entry))
    if frontier is None:
        frontier = view.memo["lmetric", view.entry] = Frontier(view, view.entry, view.backlog_tokens)
    prompt, cached = view.prompt_tokens(request), view.prefix_holders(request)

    def score(instance: int) -> tuple[int, int, int]:
        tokens = view.backlog_tokens(instance) + prompt - cached.get(instance, 0)
        return tokens * view.in_system(instance), tokens, instance

    return min((*frontier.candidates(), *cached), key=score, default=None)
