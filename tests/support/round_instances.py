"""Small instances in unit rounds, their optimum by enumeration, and random schedules."""

import numpy as np
from hypothesis import strategies as st

from fluid.hindsight import RoundInstance, check_schedule, list_schedule


@st.composite
def round_instances(draw, most=4, memory=(4, 9), latest=4):
    """Up to `most` requests; identical ones are frequent."""
    tokens = draw(st.integers(*memory))
    n = draw(st.integers(1, most))
    prompt = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    output = [draw(st.integers(1, min(5, tokens - s))) for s in prompt]
    arrival = draw(st.lists(st.integers(0, latest), min_size=n, max_size=n))
    return RoundInstance.of(arrival, prompt, output, tokens)


def optimum(instance):
    """Least TEL over all schedules, by trying every start round of every request in turn."""
    horizon = int(instance.arrival_rounds.max() + instance.output_tokens.sum())
    held = np.zeros(horizon + int(instance.output_tokens.max()) + 2, dtype=np.int64)
    arrivals = instance.arrival_rounds.tolist()
    order = np.argsort(-instance.volume).tolist()
    rest = np.cumsum([0] + [arrivals[i] for i in reversed(order)])[::-1].tolist()
    best = [horizon * len(instance)]

    def search(k, total):
        if k == len(order):
            best[0] = min(best[0], total)
            return
        i = order[k]
        ramp = instance.ramp(i)
        for start in range(arrivals[i], horizon + 1):
            if total + start + rest[k + 1] >= best[0]:
                return
            window = held[start + 1 : start + 1 + len(ramp)]
            if (window + ramp <= instance.memory_tokens).all():
                window += ramp
                search(k + 1, total + start)
                window -= ramp

    search(0, 0)
    return best[0] + int((instance.output_tokens - instance.arrival_rounds).sum())


def random_starts(instance, seed):
    """A valid schedule with idle time in it."""
    rng = np.random.default_rng(seed)
    delayed = RoundInstance.of(
        instance.arrival_rounds + rng.integers(0, 4, len(instance)),
        instance.prompt_tokens,
        instance.output_tokens,
        instance.memory_tokens,
    )
    starts = list_schedule(delayed, rng.permutation(len(instance)).tolist())
    check_schedule(instance, starts)
    return starts
