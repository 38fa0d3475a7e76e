"""AIBrix: longest cached prefix unless the fleet is out of balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number, check_whole
from policies.routers.counts import join_shortest_queue
from policies.routers.spread import RequestSpread

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class AIBrix:
    """The longest cached prefix on an instance that is not overloaded, otherwise the fewest requests.

    As in AIBrix (vllm-project/aibrix): if the largest and smallest number of requests differ by more than
    `most_imbalance`, only the instances with the fewest are candidates, the longest match first. Otherwise instances go
    by longest match, then fewest requests, and the first with at most ``mean + deviations * standard deviation``
    requests over the fleet is taken. If nobody qualifies: fewest requests. Ties go to the lowest index. Requests are
    all those sent to an instance that have not left it. O(log n + holders log holders).

    Parameters
    ----------
    most_imbalance : int
        Largest difference in requests at which the cache matters first.
    deviations : float
        Standard deviations above the mean that an instance may have.
    """

    most_imbalance: int = 8
    deviations: float = 1.0

    def __post_init__(self) -> None:
        check_whole(self, "most_imbalance", least=0)
        check_number(self, "deviations")

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the chosen instance."""
        shortest = join_shortest_queue(view, request)
        longest = view.least("minus in system", lambda i: -view.in_system(i))
        if shortest is None or longest is None:
            return None
        cached, load = view.prefix_holders(request), view.in_system
        fewest = load(shortest)
        if load(longest) - fewest > self.most_imbalance:
            idle = [i for i in cached if load(i) == fewest]
            return min(idle, key=lambda i: (-cached[i], i), default=shortest)
        if not cached:
            return shortest
        spread = view.memo.get(("spread", view.entry))
        if spread is None:
            spread = view.memo["spread", view.entry] = RequestSpread(view, view.entry)
        mean, deviation = spread.mean_and_deviation()
        most = mean + self.deviations * deviation
        fitting = (i for i in cached if load(i) <= most)
        return min(fitting, key=lambda i: (-cached[i], load(i), i), default=shortest)
