"""Random systems that satisfy WAIT's conditions, with one sample path each (arXiv 2504.11320, section 3)."""

from __future__ import annotations

import numpy as np

from orsched.catalogue import Hardware
from proofs_check.heavy_traffic import ArrivalPath, PromptType, draw_path, linear_hardware
from proofs_check.rules import Instance

PAPER = "arXiv 2504.11320"


def random_system(rng: np.random.Generator) -> Instance:
    """One to three types with thresholds 1 to 4 and ``C = M^pi``; a third of the types critical, the others with slack.

    ``d1 M^pi`` is 2% to 90% of ``Delta^pi``. The horizon is 20 to 200 full iterations.
    """
    count = int(rng.integers(1, 4))
    lengths: set[tuple[int, int]] = set()
    while len(lengths) < count:
        lengths.add((int(rng.integers(1, 8)), int(rng.integers(1, 6))))
    prompts, decodes = zip(*sorted(lengths), strict=True)
    thresholds = rng.integers(1, 5, count).tolist()
    kinds = [PromptType(1.0, prompt, decode) for prompt, decode in zip(prompts, decodes, strict=True)]
    memory = sum(n * kind.volume for n, kind in zip(thresholds, kinds, strict=True))
    cycle, share = float(10 ** rng.uniform(-2, 1)), float(rng.uniform(0.02, 0.9))
    d1 = cycle * share / memory
    busy = np.where(rng.random(count) < 1 / 3, 1.0, rng.uniform(0.3, 1.0, count))
    return {
        "d0": cycle - d1 * memory,
        "d1": d1,
        "C": memory,
        "prompts": list(prompts),
        "decodes": list(decodes),
        "thresholds": thresholds,
        "rates": (np.array(thresholds) / cycle * busy).tolist(),
        "horizon_cycles": float(rng.uniform(20, 200)),
        "path_seed": int(rng.integers(2**32)),
    }


SYSTEMS = 4


def fixed_system(rng: np.random.Generator, most: int) -> Instance:
    """A path of one of the first `most` of the `SYSTEMS` systems that `random_system` draws with the seeds 0, 1, ..."""
    system = int(rng.integers(most))
    x = random_system(np.random.default_rng(system))
    return {**x, "system": system, "path_seed": int(rng.integers(2**32))}


def types_of(x: Instance) -> list[PromptType]:
    """The types of a system."""
    return [PromptType(*kind) for kind in zip(x["rates"], x["prompts"], x["decodes"], strict=True)]


def hardware_of(x: Instance) -> Hardware:
    """What serves them."""
    return linear_hardware(x["d0"], x["d1"], x["C"])


def cycle_of(x: Instance) -> float:
    """``Delta^pi = d0 + d1 M^pi``, seconds."""
    memory = sum(n * kind.volume for n, kind in zip(x["thresholds"], types_of(x), strict=True))
    return float(x["d0"] + x["d1"] * memory)


def path_of(x: Instance, beyond_s: float = 0.0) -> ArrivalPath:
    """The system's sample path, up to its horizon and `beyond_s` more; at least one prompt arrives."""
    types, until = types_of(x), x["horizon_cycles"] * cycle_of(x) + beyond_s
    rng = np.random.default_rng(x["path_seed"])
    path = draw_path(types, until, rng)
    while not len(path.arrival_s):
        path = draw_path(types, until, rng)
    return path
