"""An independent scheduler: random feasible schedules and, for tiny instances, the best one.

It shares no code with the engine or with the bounds: only the service model's iteration time is used.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random

import numpy as np
from hypothesis import strategies as st

from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.group import Group
from orsched.service import Affine, Batch, Hinged
from orsched.workloads import Workload

SECONDS = st.sampled_from([0.0, 1e-3, 0.01, 0.05, 0.3, 1.0])


@st.composite
def service_models(draw, affine_only=False):
    base = draw(st.sampled_from([0.01, 0.2, 1.0]))
    terms = [draw(SECONDS) for _ in range(3)]
    if affine_only or draw(st.booleans()):
        return Affine(base, *terms)
    hinge = draw(st.sampled_from([0.0, 1.0, 2.0, 3.5, 6.0, 20.0]))
    return Hinged(base, *terms, hinge, draw(SECONDS), *[draw(SECONDS) for _ in range(3)])


@st.composite
def instances(draw, most=7, longest=10, sizes=(1, 2, 3), spread=5.0, kinds=1):
    """A small workload on a small fleet of so many groups of unequal hardware; every request fits on each."""
    n = draw(st.integers(1, most))
    lengths = st.lists(st.integers(1, longest), min_size=n, max_size=n)
    times = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.7, 3.0, spread])
    arrivals = sorted(draw(st.lists(times, min_size=n, max_size=n)))
    inputs, outputs = draw(lengths), draw(lengths)
    groups = []
    for kind in range(kinds):
        block = draw(st.sampled_from([1, 1, 2, 3]))
        least = max(-(-(a + b - 1) // block) * block for a, b in zip(inputs, outputs, strict=True))
        capacity = least + draw(st.sampled_from([0, 1, 3, 10, 40]))
        keeps = draw(st.sampled_from([False, False, True]))
        name = f"tiny {kind}" if kind else "tiny"
        hardware = Hardware(name, draw(service_models()), capacity, draw(st.integers(1, 5)), block, keeps)
        groups.append(Group(hardware, draw(st.sampled_from(sizes))))
    return Workload.of(arrivals, inputs, outputs), Fleet(tuple(groups))


def random_schedule(workload, fleet, seed):
    """First-token and completion times of a random feasible schedule: chunks, pauses, idling, recomputation.

    Where the hardware keeps the KV of preempted requests, any prefix may survive, however much memory was used since.
    """
    rng = random.Random(seed)
    greed = rng.choice([0.3, 0.8, 1.0])
    n = len(workload)
    home = [rng.randrange(fleet.size) for _ in range(n)]
    first, done = np.full(n, math.nan), np.full(n, math.nan)
    for instance, group in enumerate(fleet.instances()):
        mine = [i for i in range(n) if home[i] == instance]
        _run_instance(workload, group.hardware, mine, rng, greed, first, done)
    return first, done


def _perhaps_preempt(residents, keeps, rng, cached, kept):
    """Now and then somebody loses its KV, or keeps any prefix of it."""
    if residents and rng.random() < (0.4 if keeps else 0.1):
        leaver = rng.choice(residents)
        if keeps:
            kept[leaver] = rng.choice([0, cached[leaver], rng.randint(0, cached[leaver])])
        cached[leaver] = 0


def _run_instance(workload, hw, mine, rng, greed, first, done):
    arrival, inputs, outputs = (c.tolist() for c in (workload.arrival_s, workload.input_tokens, workload.output_tokens))
    cached, emitted, kept = (dict.fromkeys(mine, 0) for _ in range(3))
    now, rounds = 0.0, 0
    unchunked = rng.random() < 0.5

    def blocks(tokens):
        return -(-tokens // hw.block_tokens)

    while any(emitted[i] < outputs[i] for i in mine):
        rounds += 1
        calm = rounds > 200
        ready = [i for i in mine if arrival[i] <= now and emitted[i] < outputs[i]]
        residents = [i for i in ready if cached[i]]
        _perhaps_preempt([] if calm else residents, hw.keeps_preempted_kv, rng, cached, kept)
        rng.shuffle(ready)
        if calm:
            ready.sort(key=lambda i: -cached[i])
        room = hw.kv_capacity_tokens // hw.block_tokens - sum(blocks(cached[i]) for i in ready)
        batch, prompt, attention, past, seqs, reads = [], 0, 0.0, 0, 0, 0
        for i in ready:
            if len(batch) == hw.max_num_seqs or (not calm and rng.random() > greed):
                continue
            decoding = emitted[i] > 0 and cached[i] == inputs[i] + emitted[i] - 1
            had = max(cached[i], kept[i])
            left = inputs[i] + emitted[i] - had
            tokens = 1 if decoding else (left if unchunked or calm else rng.randint(1, left))
            extra = blocks(had + tokens) - blocks(cached[i])
            if extra > room:
                continue
            room -= extra
            cached[i], kept[i] = had, 0
            batch.append((i, tokens, decoding))
            if decoding:
                seqs, reads = seqs + 1, reads + cached[i]
            else:
                prompt, past = prompt + tokens, past + cached[i]
                attention += tokens * (cached[i] + tokens / 2)
        if not batch:
            later = [arrival[i] for i in mine if arrival[i] > now]
            if later and (not ready or rng.random() < 0.5):
                now = min(later)
            elif calm:
                for i in ready[1:]:
                    cached[i] = 0
                kept = dict.fromkeys(mine, 0)
            else:
                now += rng.choice([0.0, 0.1])
            continue
        now += hw.service.iteration_s(Batch(prompt, attention, past, seqs, reads))
        for i, tokens, decoding in batch:
            cached[i] += tokens
            if decoding or cached[i] == inputs[i] + emitted[i]:
                emitted[i] += 1
                _stamp(i, emitted[i], outputs[i], now, first, done)
                if emitted[i] == outputs[i]:
                    cached[i] = 0


def _stamp(i, emitted, outputs, now, first, done):
    if emitted == 1:
        first[i] = now
    if emitted == outputs:
        done[i] = now


def best_value(workload, fleet, objective):
    """Optimum over all schedules that never idle except for an arrival; a tiny instance only.

    `objective` is "latency", "ttft" or "tpot" (sums over requests) or "makespan".
    """
    n = len(workload)
    best = math.inf
    for homes in itertools.product(range(fleet.size), repeat=n):
        shares = [[i for i in range(n) if homes[i] == k] for k in range(fleet.size)]
        values = [
            _best_on_instance(workload, group.hardware, mine, objective)
            for group, mine in zip(fleet.instances(), shares, strict=True)
            if mine
        ]
        best = min(best, max(values) if objective == "makespan" else sum(values))
    return best


def _best_on_instance(workload, hw, mine, objective):
    arrival = [float(workload.arrival_s[i]) for i in mine]
    inputs = [int(workload.input_tokens[i]) for i in mine]
    outputs = [int(workload.output_tokens[i]) for i in mine]
    goal = tuple((-1, o) for o in outputs)
    labels = {}
    queue = [(0.0, 0.0, tuple((0, 0) for _ in mine))]
    best = math.inf
    while queue:
        now, cost, state = heapq.heappop(queue)
        if state == goal:
            best = min(best, now if objective == "makespan" else cost)
            continue
        if (now if objective == "makespan" else cost) >= best:
            continue
        known = labels.setdefault(state, [])
        if any(t <= now and c <= cost for t, c in known):
            continue
        known.append((now, cost))
        for step in _steps(now, cost, state, arrival, inputs, outputs, hw, objective):
            heapq.heappush(queue, step)
    return best


def _steps(now, cost, state, arrival, inputs, outputs, hw, objective):
    for i, (cached, emitted) in enumerate(state):
        if cached > 0:
            yield now, cost, (*state[:i], (0, emitted), *state[i + 1 :])
    rate = 0.0
    if objective == "tpot":  # charged as time passes, so that no label's cost ever decreases
        rate = sum(1 / (o - 1) for (_, e), o in zip(state, outputs, strict=True) if 0 < e < o)
    for start in sorted({now, *(a for a in arrival if a > now)}):
        yield from _batches(now, start, cost, rate, state, arrival, inputs, outputs, hw, objective)


def _batches(since, now, cost, rate, state, arrival, inputs, outputs, hw, objective):
    options = []
    for i, (cached, emitted) in enumerate(state):
        choices = [0]
        if cached >= 0 and arrival[i] <= now:
            decoding = emitted > 0 and cached == inputs[i] + emitted - 1
            choices += [-1] if decoding else list(range(1, inputs[i] + emitted - cached + 1))
        options.append(choices)
    for choice in itertools.product(*options):
        if not any(choice) or sum(map(bool, choice)) > hw.max_num_seqs:
            continue
        after = [max(c, 0) + abs(k) for (c, _), k in zip(state, choice, strict=True)]
        if sum(-(-t // hw.block_tokens) for t in after) > hw.kv_capacity_tokens // hw.block_tokens:
            continue
        decodes = [c for (c, _), k in zip(state, choice, strict=True) if k < 0]
        chunks = [(c, k) for (c, _), k in zip(state, choice, strict=True) if k > 0]
        attention = sum(k * (c + k / 2) for c, k in chunks)
        batch = Batch(sum(k for _, k in chunks), attention, sum(c for c, _ in chunks), len(decodes), sum(decodes))
        end = now + hw.service.iteration_s(batch)
        paid, follow = cost + (end - since) * rate, []
        for i, ((cached, emitted), k) in enumerate(zip(state, choice, strict=True)):
            if k == 0:
                follow.append((cached, emitted))
                continue
            if k < 0 or after[i] == inputs[i] + emitted:
                emitted += 1
                if emitted == {"ttft": 1, "latency": outputs[i]}.get(objective):
                    paid += end - arrival[i]
            follow.append((-1, emitted) if emitted == outputs[i] else (after[i], emitted))
        yield end, paid, tuple(follow)
