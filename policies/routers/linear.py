"""A weighted sum of cache misses and load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number
from policies.routers.counts import join_shortest_queue

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class LinearScore:
    """The least weighted sum of the uncached share of the prompt and the relative number of requests.

    ``miss_weight (1 - hit) + (1 - miss_weight) BS / max BS``, with which "Simple is Better" (OSDI '26) compares; its
    best weights were 0.7 on a chat trace and 0.55 on an API trace. Dividing by the largest number of requests is ours.
    Ties go to the lowest index.

    Of the instances with nothing cached of the prompt the shortest queue is best: O(log n + holders).

    Parameters
    ----------
    miss_weight : float
        Weight of the cache, in [0, 1]; 0 joins the shortest queue.
    """

    miss_weight: float = 0.7

    def __post_init__(self) -> None:
        check_number(self, "miss_weight", most=1)

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the instance with the least score."""
        shortest = join_shortest_queue(view, request)
        longest = view.least("minus in system", lambda i: -view.in_system(i))
        if shortest is None or longest is None:
            return None
        prompt, cached = view.prompt_tokens(request), view.prefix_holders(request)
        most = max(1, view.in_system(longest))

        def score(instance: int) -> tuple[float, int]:
            miss = 1 - cached.get(instance, 0) / prompt
            load = view.in_system(instance) / most
            return self.miss_weight * miss + (1 - self.miss_weight) * load, instance

        return min((shortest, *cached), key=score)
