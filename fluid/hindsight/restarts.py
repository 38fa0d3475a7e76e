"""A_min in the round model: a rule that learns lengths while it runs, and starts requests again from nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fluid.hindsight.rounds import Ints, RoundInstance
from orsched.errors import InputError


def a_min_completions(instance: RoundInstance, low_tokens: Ints) -> Ints:
    """A_min (arXiv 2508.14544): plan with lower bounds, raise them as tokens appear, evict the shortest on overflow.

    A request's bound is the lower end of its predicted interval, or one more than the tokens it has ever been seen to
    emit. In every round: when the running requests would hold more than M in it, they are evicted by increasing bound
    until they do not; an evicted request loses its tokens and keeps its bound. Otherwise waiting requests are scanned
    by increasing bound and started while the memory suffices in every later round if every length were its bound; the
    first that fails ends the scan.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled; true lengths are looked at for completions only.
    low_tokens : ndarray of int64, shape (n,)
        Lower ends of the predicted intervals, from 1 to the true length.

    Returns
    -------
    ndarray of int64, shape (n,)
        Completion rounds. Their sum less the arrivals is TEL; dropping the cancelled runs leaves a valid schedule.

    Raises
    ------
    InputError
        When a lower end is below 1 or above the true length.

    Notes
    -----
    The paper's rule, known to us at second hand. Ours: ties (the later index is evicted first and started last), and
    that a round which evicts starts nobody. It ends: without a request that outlives its bound nothing overflows, and
    each round of such a request raises a bound, of which there are at most ``sum o`` raises.
    """
    prompts, outputs = instance.prompt_tokens.tolist(), instance.output_tokens.tolist()
    arrivals, bound = instance.arrival_rounds.tolist(), _lower_ends(instance, low_tokens)
    emitted: dict[int, int] = {}
    completed = np.full(len(instance), -1, dtype=np.int64)
    waiting = set(range(len(instance)))
    now = 0
    while waiting or emitted:
        ranked = sorted(emitted, key=lambda i: (bound[i], -i))
        need = sum(prompts[i] + emitted[i] + 1 for i in ranked)
        if need <= instance.memory_tokens:
            for i in sorted((i for i in waiting if arrivals[i] <= now), key=lambda i: (bound[i], i)):
                if not _fits(emitted | {i: 0}, prompts, bound, instance.memory_tokens):
                    break
                emitted[i] = 0
        for i in ranked:
            if need <= instance.memory_tokens:
                break
            need -= prompts[i] + emitted.pop(i) + 1
        waiting = {i for i in waiting | set(ranked) if i not in emitted}
        now += 1
        for i in list(emitted):
            emitted[i] += 1
            bound[i] = max(bound[i], emitted[i] + 1)
            if emitted[i] == outputs[i]:
                del emitted[i]
                completed[i] = now
    return completed


def _fits(emitted: dict[int, int], prompts: Sequence[int], bound: Sequence[int], memory: int) -> bool:
    """Whether requests that have emitted so much and end at their bounds hold at most `memory` in every later round."""
    left = {i: bound[i] - tokens for i, tokens in emitted.items()}
    return all(
        sum(prompts[i] + tokens + ahead for i, tokens in emitted.items() if left[i] >= ahead) <= memory
        for ahead in set(left.values())
    )


def _lower_ends(instance: RoundInstance, low_tokens: Ints) -> list[int]:
    wrong = np.flatnonzero((low_tokens < 1) | (low_tokens > instance.output_tokens))
    if len(wrong):
        i = int(wrong[0])
        raise InputError(
            f"request {i} has {instance.output_tokens[i]} output tokens and the lower end {low_tokens[i]}: "
            "must be from 1 to the true length"
        )
    return [int(tokens) for tokens in low_tokens]
