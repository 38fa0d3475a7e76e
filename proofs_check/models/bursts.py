"""Bursts at round 0 as instances of claims: all tiny ones, and random ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement

import numpy as np

from fluid.hindsight import RoundInstance
from proofs_check.rules import Instance


def as_rounds(x: Instance) -> RoundInstance:
    """The instance with memory ``M``, ``prompts`` and ``outputs``, everything at round 0."""
    return RoundInstance.of([0] * len(x["prompts"]), x["prompts"], x["outputs"], x["M"])


def tiny_bursts(memories: range, most: int) -> Iterator[Instance]:
    """Every burst of up to `most` requests that fit, for each memory; in an order in which the first are a sample."""
    found: list[Instance] = []
    for memory in memories:
        kinds = [(s, o) for o in range(1, memory + 1) for s in range(memory - o + 1)]
        found.extend(_multisets(memory, kinds, most))
    return _mixed(found)


def tiny_equal_prompts(memories: range, most: int) -> Iterator[Instance]:
    """Every burst of up to `most` requests with one prompt length and peaks of at most half the memory, as mixed."""
    found: list[Instance] = []
    for memory in memories:
        for prompt in range(memory // 2):
            kinds = [(prompt, o) for o in range(1, memory // 2 - prompt + 1)]
            found.extend(_multisets(memory, kinds, most))
    return _mixed(found)


def _mixed(cases: list[Instance]) -> Iterator[Instance]:
    """The same cases in a fixed random order."""
    return (cases[index] for index in np.random.default_rng(0).permutation(len(cases)))


def _multisets(memory: int, kinds: list[tuple[int, int]], most: int) -> Iterator[Instance]:
    for n in range(1, most + 1):
        for chosen in combinations_with_replacement(kinds, n):
            prompts, outputs = zip(*chosen, strict=True)
            yield {"M": memory, "prompts": list(prompts), "outputs": list(outputs)}


def random_bursts(
    most: int, memory: tuple[int, int], *, equal_prompts: bool = False, share: float = 1.0
) -> Callable[[np.random.Generator], Instance]:
    """A sampler of bursts of 1 to `most` requests whose peaks are at most `share` of the memory.

    Lengths are uniform, up to a cap that is itself drawn, so that crowds of small requests occur; one burst in three
    has only two kinds of requests.
    """

    def sample(rng: np.random.Generator) -> Instance:
        n = int(rng.integers(1, most + 1))
        tokens = int(rng.integers(memory[0], memory[1] + 1))
        peak = max(1, int(share * tokens))
        cap = int(rng.integers(1, peak + 1))
        longest = int(rng.integers(0, peak - cap + 1))
        prompts = rng.integers(0, longest + 1, 1 if equal_prompts else n) + np.zeros(n, dtype=np.int64)
        outputs = rng.integers(1, cap + 1, n)
        if rng.random() < 1 / 3:
            kind = rng.integers(0, min(2, n), n)
            prompts, outputs = prompts[kind], outputs[kind]
        return {"M": tokens, "prompts": prompts.tolist(), "outputs": outputs.tolist()}

    return sample
