"""SGLang's cache-aware router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number, check_whole
from policies.routers.counts import join_shortest_queue

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class CacheAware:
    """The best cached prefix if it is long enough, else the smallest cache; the fewest requests when out of balance.

    As SGLang's router (cache_aware, also vllm-router): if the largest and smallest number of requests differ by more
    than `most_difference` and the largest is more than `most_ratio` times the smallest, the instance with the fewest is
    taken. Otherwise the one with the longest match, if that is more than `match_threshold` of the prompt; else the one
    with the smallest prefix tree. Ties to the lowest index.

    The published router matches against trees of its own of what it has sent; here matches are what instances have
    cached. The size of a tree is the number of tokens sent to an instance that were not cached there; it is never
    trimmed. O(log n + holders).

    Parameters
    ----------
    most_difference : int
        Requests.
    most_ratio : float
        Largest over smallest number of requests, >= 1.
    match_threshold : float
        Share of the prompt that has to be cached, in [0, 1].
    """

    most_difference: int = 64
    most_ratio: float = 1.5
    match_threshold: float = 0.3

    def __post_init__(self) -> None:
        check_whole(self, "most_difference", least=0)
        check_number(self, "most_ratio", least=1)
        check_number(self, "match_threshold", most=1)

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the chosen instance."""
        trees: list[int] = view.memo.setdefault("prefix trees", [0] * view.size)
        prompt, cached = view.prompt_tokens(request), view.prefix_holders(request)
        chosen = self._choice(view, request, prompt, cached, trees)
        if chosen is not None:
            trees[chosen] += prompt - cached.get(chosen, 0)
            view.touch(chosen)
        return chosen

    def _choice(
        self, view: FleetView, request: int, prompt: int, cached: Mapping[int, int], trees: list[int]
    ) -> int | None:
        shortest = join_shortest_queue(view, request)
        longest = view.least("minus in system", lambda i: -view.in_system(i))
        if shortest is None or longest is None:
            return None
        fewest, most = view.in_system(shortest), view.in_system(longest)
        if most - fewest > self.most_difference and most > self.most_ratio * fewest:
            return shortest
        best = min(cached, key=lambda i: (-cached[i], i), default=None)
        if best is not None and cached[best] > self.match_threshold * prompt:
            return best
        return view.least("prefix tree", trees.__getitem__)
