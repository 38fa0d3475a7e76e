"""A benchmark of a closed loop, simulated on a service model event by event."""

from __future__ import annotations

from collections import deque
from functools import cache
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from experiments.validation.silicon_load import ClosedLoop
from orsched.service import Batch, ServiceModel
from orsched.work import Floats


class BenchmarkTimes(NamedTuple):
    """TTFT and TPOT of each request in order of sending; seconds, shape ``(n,)``."""

    ttft_s: Floats
    tpot_s: Floats


def benchmark(
    loop: ClosedLoop, service: ServiceModel, prompts_per_user: int, shortest: float, seed: int
) -> BenchmarkTimes:
    """Run a benchmark client: all users send at once, and send again when answered, until all prompts are sent.

    Parameters
    ----------
    loop : ClosedLoop
        Users, mean lengths, budget.
    service : ServiceModel
        Iteration times.
    prompts_per_user : int
        Requests over the number of users.
    shortest : float
        Lengths are uniform between this share of the longest and the longest, in (0, 1].
    seed : int
        Of the lengths.

    Notes
    -----
    Between two completions, with nobody waiting, iterations are decodes of one composition, whose total the decode
    curve gives in closed form; iterations with prompt tokens are taken one by one. So this is exact, with a handful of
    events per request.
    """
    count = prompts_per_user * loop.users
    draws = np.random.default_rng(seed)
    prompts = _lengths(draws, loop.prompt_tokens, shortest, count, least=1)
    outputs = _lengths(draws, loop.output_tokens, shortest, count, least=2)
    sent, first, last = np.zeros(count), np.zeros(count), np.zeros(count)
    curve = cache(service.decode_curve)
    waiting = deque(range(loop.users))
    running: list[tuple[int, int]] = []  # (iteration at whose end it is answered, request), a heap
    fresh, done, clock, iteration, kv_tokens = loop.users, 0, 0.0, 0, 0
    while waiting or running:
        if waiting:
            finished: list[int] = []
            left, tokens, attention, past = loop.token_budget - len(running), 0, 0.0, 0
            while waiting and left:
                taken = min(left, prompts[waiting[0]] - done)
                tokens, attention, past = tokens + taken, attention + taken * (done + taken / 2), past + done
                left, done = left - taken, done + taken
                if done == prompts[waiting[0]]:
                    finished.append(waiting.popleft())
                    done = 0
            clock += service.iteration_s(Batch(tokens, attention, past, len(running), kv_tokens))
            iteration += 1
            kv_tokens += len(running)
        else:
            finished, steps = [], running[0][0] - iteration
            clock += curve(len(running)).total(kv_tokens, len(running), steps)
            iteration += steps
            kv_tokens += steps * len(running)
        while running and running[0][0] == iteration:
            answered = heappop(running)[1]
            last[answered] = clock
            kv_tokens -= prompts[answered] + outputs[answered] - 1
            if fresh < count:
                sent[fresh] = clock
                waiting.append(fresh)
                fresh += 1
        for request in finished:
            first[request] = clock
            kv_tokens += prompts[request]
            heappush(running, (iteration + outputs[request] - 1, request))
    return BenchmarkTimes(first - sent, (last - first) / (np.array(outputs) - 1))


def _lengths(draws: np.random.Generator, mean: float, shortest: float, count: int, least: int) -> list[int]:
    """Whole lengths, uniform between `shortest` times the longest and the longest, of the given mean."""
    longest = 2 * mean / (1 + shortest)
    drawn = np.rint(draws.uniform(shortest * longest, longest, count)).astype(np.int64)
    return [max(least, int(length)) for length in drawn]
