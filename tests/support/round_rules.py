"""Rules of the KV-memory papers in unit rounds, round by round and request by request, for comparison."""

import numpy as np

from fluid.hindsight import RoundInstance, as_serving
from orsched import simulate


def blocks(tokens, block):
    return -(-tokens // block)


def shortest(queue, outputs):
    return sorted(queue, key=lambda i: (outputs[i], i))


def start_rounds(arrivals, prompts, outputs, capacity, block=1, most=10**9, order=shortest):
    """Start rounds under the check of MC-SF as printed: rounds one by one, every future round checked.

    `order(queue, outputs)` is the order of the scan.
    """
    n = len(arrivals)
    start = [None] * n
    now = 0
    while None in start:
        kept = [i for i in range(n) if start[i] is not None and start[i] + outputs[i] > now]
        queue = [i for i in range(n) if start[i] is None and arrivals[i] <= now]
        for i in order(queue, outputs):
            trial = [*((j, start[j]) for j in kept), (i, now)]
            held = np.zeros(max(p + outputs[j] for j, p in trial) - now, dtype=int)
            for j, p in trial:
                rounds = np.arange(now + 1, p + outputs[j] + 1)
                held[: len(rounds)] += blocks(prompts[j] + rounds - p, block)
            if held.max() > capacity // block or len(trial) > most:
                break
            start[i] = now
            kept.append(i)
        now += 1
    return start


def svf_rounds(arrivals, prompts, outputs, capacity):
    """Start rounds of smallest volume first: the peaks of all that run together fit."""
    n = len(arrivals)
    volume = [sum(range(s + 1, s + o + 1)) for s, o in zip(prompts, outputs, strict=True)]
    start = [None] * n
    now = 0
    while None in start:
        kept = [i for i in range(n) if start[i] is not None and start[i] + outputs[i] > now]
        queue = [i for i in range(n) if start[i] is None and arrivals[i] <= now]
        for i in sorted(queue, key=lambda i: (volume[i], i)):
            if sum(prompts[j] + outputs[j] for j in [*kept, i]) > capacity:
                break
            start[i] = now
            kept.append(i)
        now += 1
    return start


def a_min_rounds(arrivals, prompts, outputs, low, capacity):
    """Completion rounds of A_min when an evicted request keeps its tokens and recomputes their memory."""
    n = len(arrivals)
    emitted, done = [0] * n, [None] * n
    running = []
    now = 0

    def bound(i):
        return max(low[i], emitted[i] + 1)

    def held(i, ahead):
        return prompts[i] + emitted[i] + ahead if emitted[i] + ahead <= bound(i) else 0

    while None in done:
        if sum(held(i, 1) for i in running) > capacity:
            for i in sorted(running, key=lambda i: (bound(i), -i)):
                running.remove(i)
                if sum(held(i, 1) for i in running) <= capacity:
                    break
        else:
            queue = [i for i in range(n) if done[i] is None and i not in running and arrivals[i] <= now]
            for i in sorted(queue, key=lambda i: (bound(i), i)):
                trial = [*running, i]
                if any(sum(held(j, t) for j in trial) > capacity for t in range(1, max(outputs) + 1)):
                    break
                running = trial
        now += 1
        for i in running:
            emitted[i] += 1
            if emitted[i] == outputs[i]:
                done[i] = now
        running = [i for i in running if done[i] is None]
    return done


def law_of_the_paper(seed, burst):
    """An instance of the MC-SF paper's synthetic experiments: all at time 0, or Poisson arrivals in whole rounds."""
    rng = np.random.default_rng(seed)
    capacity = int(rng.integers(30, 51))
    if burst:
        arrivals = np.zeros(int(rng.integers(40, 61)), dtype=int)
    else:
        per_round = rng.poisson(rng.uniform(0.5, 1.5), int(rng.integers(40, 61)))
        arrivals = np.repeat(np.arange(len(per_round)), per_round)
    prompts = rng.integers(1, 6, len(arrivals))
    outputs = np.array([int(rng.integers(1, capacity - s + 1)) for s in prompts])
    return capacity, arrivals, prompts, outputs


def small_instance(seed, burst, most=14):
    """A few requests of that law."""
    capacity, arrivals, prompts, outputs = law_of_the_paper(seed, burst)
    return RoundInstance.of(arrivals[:most], prompts[:most], outputs[:most], capacity)


def served(instance, policy, seed=0):
    """The policy on the instance in rounds of a second, books checked."""
    workload, fleet = as_serving(instance)
    return simulate(workload, fleet, policy, seed=seed, check=True)


def columns(instance):
    """Arrivals, prompts and outputs as lists."""
    return instance.arrival_rounds.tolist(), instance.prompt_tokens.tolist(), instance.output_tokens.tolist()
