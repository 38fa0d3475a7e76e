"""Nested WAIT step by step, request by request, for comparison: one prompt length, stages of one iteration."""

from itertools import count, pairwise

import numpy as np


def nested_wait(arrivals, prompt, outputs, cuts, thresholds, memory, base_s, token_s):
    """Completion times and the number of evictions; None where evicting boundary queues does not make room.

    An iteration takes ``base_s`` and ``token_s`` for each KV token of its batch. A boundary queue is the waiting room
    of the next segment's first stage. An evicted request starts at stage 0 with the tokens it had emitted in its
    prompt. Once nobody arrives any more all segments fire with what they have.
    """
    segments, total = len(cuts), len(arrivals)
    queue, boundary = [], [[] for _ in cuts]  # nobody waits in boundary[0]
    stage, cached = {}, {}  # of those in the interior, of all residents
    order, admitted = count(), {}
    emitted, done = [0] * total, [None] * total
    now, seen, evictions = 0.0, 0, 0

    def segment(request):
        return next((k for k, cut in enumerate(cuts) if stage[request] <= cut), segments - 1)

    while None in done:
        while seen < total and arrivals[seen] <= now + 1e-9:
            queue.append(seen)
            seen += 1
        entries = [len(queue), *map(len, boundary[1:])]
        short = [k for k in range(segments) if entries[k] < thresholds[k]]
        firing = min(short, default=segments) if seen < total else segments
        if not firing:
            now = arrivals[seen]
            continue
        newcomers = queue[: thresholds[0]]
        entering = [boundary[k][: thresholds[k]] for k in range(1, firing)]
        batch = [r for r in stage if segment(r) < firing] + [r for group in entering for r in group]
        while sum(cached.values()) + len(batch) + sum(prompt + emitted[r] for r in newcomers) > memory:
            paused = [r for group in boundary for r in group if r not in batch]
            if not paused:
                return None
            victim = max(paused, key=admitted.get)
            next(group for group in boundary if victim in group).remove(victim)
            del cached[victim]
            queue.insert(0, victim)
            evictions += 1
        for request in newcomers:
            queue.remove(request)
            admitted[request] = next(order)
            cached[request], stage[request] = prompt + emitted[request], 0
        for k, group in enumerate(entering, 1):
            for request in group:
                boundary[k].remove(request)
                cached[request] += 1
                stage[request] = cuts[k - 1] + 1
        for request in set(batch).difference(*entering):
            cached[request] += 1
        running = batch + newcomers
        _require_places(running, stage, cuts, thresholds)
        now += base_s + token_s * sum(cached[r] for r in running)
        for request in running:
            emitted[request] += 1
            k = segment(request)
            if emitted[request] == outputs[request]:
                done[request] = now
                del cached[request], stage[request]
            elif stage[request] == cuts[k] and k < segments - 1:
                boundary[k + 1].append(request)
                del stage[request]
            else:
                stage[request] += 1
    return np.array(done), evictions


def _require_places(running, stage, cuts, thresholds):
    """No stage holds more than the threshold of its segment."""
    stages = np.array([stage[r] for r in running])
    for (before, cut), most in zip(pairwise((-1, *cuts)), thresholds, strict=True):
        for place in range(before + 1, cut + 1):
            assert (stages == place).sum() <= most
