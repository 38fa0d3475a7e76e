"""Preble's two-level rule: exploit a cached prefix, or explore where little was sent lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number, check_whole
from orsched.service import Batch
from policies.parts.prompt_time import prompt_s
from policies.routers.kinds import least_of_each_kind
from policies.routers.tokens import lexicographic

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class Preble:
    """The best cached prefix if it covers enough of the prompt, else the least predicted cost of the last minutes.

    Preble (WukLab): if more than `match_threshold` of the prompt is cached somewhere, the one with the fewest prompt
    tokens to process among those with the longest match (then the fewest requests, then the lowest index). Otherwise
    the least sum of predicted prompt and decode seconds of the requests sent in the last `window_s` seconds and this
    one, ties to the lowest index.

    The costs are ours, from the service model: the uncached prompt in chunks of `chunk_tokens`, and
    `mean_output_tokens` output tokens at what one more decode of the same context adds to an iteration of
    `decode_batch` of them. Preble's cost of what a prompt would evict is left out.

    O(log n + holders) per request, and per request that leaves the window.

    Parameters
    ----------
    match_threshold : float
        Share of the prompt, in [0, 1].
    window_s : float
        How long a request counts, seconds.
    mean_output_tokens : int
        Expected output of every request.
    chunk_tokens : int
        Most prompt tokens of an iteration.
    decode_batch : int
        Batch beside which decodes are priced.
    """

    match_threshold: float = 0.5
    window_s: float = 180.0
    mean_output_tokens: int = 256
    chunk_tokens: int = 512
    decode_batch: int = 32

    def __post_init__(self) -> None:
        check_number(self, "match_threshold", most=1)
        check_number(self, "window_s", above=True, unit="seconds")
        for field in ("mean_output_tokens", "chunk_tokens", "decode_batch"):
            check_whole(self, field)

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the chosen instance."""
        window = view.memo.get(self)
        if window is None:
            window = view.memo[self] = RecentCost(view, self.window_s)
        window.forget()
        prompt, cached = view.prompt_tokens(request), view.prefix_holders(request)

        def cost(instance: int) -> int:
            return self.cost_ns(view, instance, prompt, cached.get(instance, 0))

        longest = max(cached.values(), default=0)
        chosen: int | None
        if longest > self.match_threshold * prompt:
            best = (i for i, tokens in cached.items() if tokens == longest)
            chosen = min(best, key=lambda i: (lexicographic(view.backlog_tokens(i), view.in_system(i)), i))
        else:
            others = least_of_each_kind(view, f"recent cost {self}", window.total_ns.__getitem__, cached)
            chosen = min((*others, *cached), key=lambda i: (window.total_ns[i] + cost(i), i), default=None)
        if chosen is not None:
            window.add(chosen, cost(chosen))
        return chosen

    def cost_ns(self, view: FleetView, instance: int, prompt: int, cached: int) -> int:
        """Predicted cost of a prompt there, nanoseconds."""
        service, batch = view.hardware(instance).service, self.decode_batch
        context = prompt + self.mean_output_tokens // 2
        with_s = service.iteration_s(Batch(num_seqs=batch + 1, kv_tokens=(batch + 1) * context))
        without_s = service.iteration_s(Batch(num_seqs=batch, kv_tokens=batch * context))
        seconds = prompt_s(service, prompt - cached, cached, self.chunk_tokens)
        return round(1e9 * (seconds + self.mean_output_tokens * (with_s - without_s)))


class RecentCost:
    """Cost of what was sent to each instance lately, in whole nanoseconds so that sums come back to 0.

    Parameters
    ----------
    view : FleetView
        The fleet.
    window_s : float
        How long a request counts, seconds.
    """

    __slots__ = ("_sent", "_view", "_window_s", "total_ns")

    def __init__(self, view: FleetView, window_s: float) -> None:
        self._view = view
        self._window_s = window_s
        self._sent: deque[tuple[float, int, int]] = deque()
        self.total_ns = [0] * view.size

    def add(self, instance: int, cost_ns: int) -> None:
        """Count a request sent now."""
        self._sent.append((self._view.now_s, instance, cost_ns))
        self.total_ns[instance] += cost_ns
        self._view.touch(instance)

    def forget(self) -> None:
        """Leave out those sent longer ago than the window."""
        sent = self._sent
        while sent and sent[0][0] < self._view.now_s - self._window_s:
            _, instance, cost_ns = sent.popleft()
            self.total_ns[instance] -= cost_ns
            self._view.touch(instance)
