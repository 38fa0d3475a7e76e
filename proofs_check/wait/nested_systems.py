"""Random systems that satisfy Nested WAIT's conditions, with one sample path each (arXiv 2504.11320)."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.policy import Batcher, Policy
from orsched.run import Run
from policies.wait import Nesting
from policies.wait.drift import OverflowRisk
from policies.wait.segments import NestedSegments
from proofs_check.heavy_traffic import ArrivalPath, PromptType, draw_path, linear_hardware
from proofs_check.rules import Instance

OVERFLOW = 0.1
"""``delta``: overflow probability that the memory is bought for."""


def random_nested_system(rng: np.random.Generator) -> Instance:
    """Two or three segments, as many types, slack at the entry and downward drift at every boundary.

    The horizon is 30 to 300 full iterations.
    """
    count = int(rng.integers(2, 4))
    cuts = np.cumsum(rng.integers(1, 5, count)).tolist()
    thresholds = [int(rng.integers(4, 9))]
    survival: list[float] = []
    while len(thresholds) < count:
        thresholds.append(int(rng.integers(max(1, thresholds[-1] - 2), thresholds[-1])))
        survival.append(float(rng.uniform(0.5, 0.95)) * thresholds[-1] / thresholds[-2])
    return {
        "prompt": int(rng.integers(1, 8)),
        "cuts": cuts,
        "thresholds": thresholds,
        "survival": survival,
        "busy": float(rng.uniform(0.5, 0.99)),
        "d1_share": float(10 ** rng.uniform(-3, -0.05)),
        "cycles": float(rng.uniform(30, 300)),
        "path_seed": int(rng.integers(2**32)),
    }


_FIXED: tuple[dict[str, Any], ...] = (
    {"prompt": 5, "cuts": [1, 2], "thresholds": [4, 2], "ratio": 0.8, "cycles": 300.0},
    {"prompt": 3, "cuts": [1, 2, 4], "thresholds": [6, 5, 4], "ratio": 0.95, "cycles": 3000.0},
    {"prompt": 6, "cuts": [1, 2], "thresholds": [6, 4], "ratio": 0.9, "cycles": 1000.0},
)
SYSTEMS = len(_FIXED)


def fixed_system(rng: np.random.Generator, most: int, longest: float) -> Instance:
    """A path of one of the first `most` fixed systems, over at most `longest` full iterations.

    At the boundaries the drift ratio ``p_k n_{k-1} / n_k`` is 0.8 to 0.95; the entry is 99% busy.
    """
    system = int(rng.integers(most))
    x = _FIXED[system]
    return {
        **x,
        "system": system,
        "survival": [x["ratio"] * after / before for before, after in pairwise(x["thresholds"])],
        "busy": 0.99,
        "d1_share": 0.1,
        "cycles": min(x["cycles"], longest),
        "path_seed": int(rng.integers(2**32)),
    }


def segments_of(x: Instance) -> NestedSegments:
    """Its segments."""
    prompts = (float(x["prompt"]),) * len(x["cuts"])
    return NestedSegments(tuple(x["cuts"]), tuple(x["thresholds"]), tuple(x["survival"]), prompts)


def times_of(x: Instance) -> tuple[float, float]:
    """``d0`` and ``d1`` for which a full iteration, ``Delta^pi``, lasts one second."""
    return 1 - x["d1_share"], x["d1_share"] / segments_of(x).memory_tokens


def types_of(x: Instance) -> list[PromptType]:
    """Types that end at the cuts: ``Lambda_1 = busy n_1`` per full iteration, ``p_k`` of them go on."""
    through = list(accumulate(x["survival"], lambda rate, p: rate * p, initial=x["busy"] * x["thresholds"][0]))
    rates = [a - b for a, b in pairwise((*through, 0.0))]
    return [PromptType(rate, x["prompt"], cut) for rate, cut in zip(rates, x["cuts"], strict=True)]


def path_of(x: Instance, beyond: float = 0.0) -> ArrivalPath:
    """Arrivals up to the horizon, and so many full iterations more."""
    return draw_path(types_of(x), x["cycles"] + beyond, np.random.default_rng(x["path_seed"]))


def requirement(x: Instance, buffer: float, horizon: float) -> int:
    """KV tokens: ``M^pi`` and the share `buffer` of the boundary queues' part for overflow probability `OVERFLOW`.

    That part is computed for the share `horizon` of the system's horizon.
    """
    segments = segments_of(x)
    needed = segments.required_tokens(OverflowRisk(OVERFLOW, horizon * x["cycles"] / times_of(x)[0]))
    return math.ceil(segments.memory_tokens + buffer * (needed - segments.memory_tokens))


def run_of(x: Instance, batcher: Batcher, path: ArrivalPath, memory: int) -> Run:
    """Serve a path with a Nested WAIT batcher."""
    cohorts = Nesting(tuple(x["cuts"]), tuple(x["thresholds"])).cohorts
    policy = Policy("nested-wait", batcher, num_cohorts=cohorts)
    return simulate(path.workload(), Fleet.identical(linear_hardware(*times_of(x), memory)), policy)
