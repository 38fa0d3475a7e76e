"""First come first served under the paper's overflow rule: who is evicted loses its progress.

The engine keeps the tokens of a preempted request, as vLLM does: they become part of the prompt that is processed
again. In the model ``d0 + d1 KV`` that costs nothing: a prefill of ``l + s`` tokens takes as long as the decode
iteration at ``l + s`` that it stands for. The paper's lower bounds need its own rule (arXiv 2504.11320, section 2): the
latest admitted residents lose KV memory and progress, and count as new entries of the queue.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from proofs_check.heavy_traffic.paths import ArrivalPath
from proofs_check.heavy_traffic.served import Served

Room = Callable[[int, int], int]
"""KV tokens that newcomers may take, from the tokens that residents need and the capacity."""


def residents_first(limit: int) -> Room:
    """Newcomers fill up what residents leave of `limit` tokens."""
    return lambda held, capacity: min(limit, capacity) - held


def arrivals_first(held: int, capacity: int) -> int:
    """Newcomers may take all memory; residents make room."""
    return capacity


@dataclass(slots=True)
class Losing:
    """State between iterations.

    Parameters
    ----------
    capacity : int
        ``C``, KV tokens.
    prompts, steps : list of int
        ``l`` and ``l'`` of every request.
    room : Room
        The admission rule.
    waiting : deque of int
        Requests without KV memory, first come first served.
    residents : list of (int, int)
        Request and stage, in order of admission.
    """

    capacity: int
    prompts: list[int]
    steps: list[int]
    room: Room
    waiting: deque[int] = field(default_factory=deque)
    residents: list[tuple[int, int]] = field(default_factory=list)

    def iterate(self) -> tuple[int, list[int], list[int], list[int]]:
        """Run one iteration; the KV tokens of its batch, and who was admitted, evicted and completed."""
        held = sum(self.prompts[request] + stage for request, stage in self.residents)
        evicted: list[int] = []
        held = self._evict(held, 0, evicted)
        room, need = self.room(held, self.capacity), 0
        admitted: list[int] = []
        while self.waiting and need + self.prompts[self.waiting[0]] <= room:
            admitted.append(self.waiting.popleft())
            need += self.prompts[admitted[-1]]
        held = self._evict(held, need, evicted)
        self.waiting.extend(evicted)
        batch = self.residents + [(request, 0) for request in admitted]
        done = [request for request, stage in batch if stage == self.steps[request]]
        self.residents = [(request, stage + 1) for request, stage in batch if stage < self.steps[request]]
        return held + need, admitted, evicted, done

    def _evict(self, held: int, need: int, evicted: list[int]) -> int:
        """Evict the latest admitted until `need` tokens fit beside what residents hold; what they hold then."""
        while held + need > self.capacity:
            request, stage = self.residents.pop()
            held -= self.prompts[request] + stage
            evicted.append(request)
        return held


def serve_losing(path: ArrivalPath, capacity: int, d0: float, d1: float, room: Room) -> Served:
    """Serve a path until its last arrival; who is not complete by then never is (infinite)."""
    prompts = [kind.prompt_tokens for kind in path.types]
    kinds, arrivals = path.kind.tolist(), path.arrival_s.tolist()
    state = Losing(capacity, [prompts[kind] for kind in kinds], path.decode_steps.tolist(), room)
    first, end = np.full(len(kinds), math.inf), np.full(len(kinds), math.inf)
    evictions = np.zeros(len(kinds), dtype=np.int64)
    now, following = arrivals[0], 0
    while now <= arrivals[-1]:
        while following < len(arrivals) and arrivals[following] <= now:
            state.waiting.append(following)
            following += 1
        if not state.waiting and not state.residents:
            if following == len(arrivals):
                break
            now = arrivals[following]
            continue
        tokens, admitted, evicted, done = state.iterate()
        now += d0 + d1 * tokens
        first[admitted] = np.minimum(first[admitted], now)
        end[done] = now
        evictions[evicted] += 1
    return Served(path, first, end, evictions)
