"""Exact least total latency of small bursts in unit rounds, by dynamic programming over what runs and what waits."""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import product

from fluid.hindsight import RoundInstance

Parts = tuple[tuple[int, int], ...]
Counts = tuple[int, ...]


def burst_optimum(instance: RoundInstance) -> int:
    """Least TEL over all schedules without pause, rounds.

    Parameters
    ----------
    instance : RoundInstance
        A burst at round 0 of up to about 8 requests with short outputs; the work grows exponentially.

    Notes
    -----
    A state is what runs, each with its remaining rounds r and final tokens P (it holds ``P - r + j`` in its j-th round
    from now on), and how many of each kind wait. Whoever is not started in a round waits one more: TEL is ``sum o``
    plus the number that waits, summed over the rounds. Every set that fits in all rounds to come is tried.
    """
    kinds = Counter(zip(instance.prompt_tokens.tolist(), instance.output_tokens.tolist(), strict=True))
    fresh = [(o, s + o) for s, o in kinds]
    memory = instance.memory_tokens

    @cache
    def waiting_rounds(running: Parts, waiting: Counts) -> int:
        best = _NEVER
        for left in product(*(range(count + 1) for count in waiting)):
            begun = [part for part, kept, had in zip(fresh, left, waiting, strict=True) for _ in range(had - kept)]
            parts = (*running, *begun)
            if not parts or not _fits(parts, memory):
                continue
            here = sum(left)
            if here < best:
                after = tuple(sorted((r - 1, peak) for r, peak in parts if r > 1))
                best = min(best, here + waiting_rounds(after, left) if here else 0)
        return best

    return int(instance.output_tokens.sum()) + waiting_rounds((), tuple(kinds.values()))


_NEVER = 10**9


def _fits(parts: Parts, memory: int) -> bool:
    """Whether what runs stays within the memory: it only grows between two completions."""
    return all(sum(peak - r + end for r, peak in parts if r >= end) <= memory for end, _ in parts)
