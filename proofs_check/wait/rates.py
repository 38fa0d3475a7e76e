"""WAIT's rates (arXiv 2504.11320, WAIT theorem): exponents of throughput gap and delay on runs of the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from orsched.fleet import Fleet
from proofs_check.claim import Claim
from proofs_check.heavy_traffic import (
    ALL,
    ArrivalPath,
    PromptType,
    Served,
    linear_hardware,
    scaling_study,
    serve,
    study_of,
    wait_with,
)
from proofs_check.heavy_traffic.cohorts import serve_cohorts
from proofs_check.rules import Instance, Once
from proofs_check.wait.exponents import ERROR, exponent_slack, exponents, label, touched_by_end

SOURCE = "arXiv 2504.11320, WAIT theorem"
METRICS = ("throughput_gap", "latency_mean", "ttft_mean")
_ALL = [(metric, ALL) for metric in METRICS]

THRESHOLD, D0, D1 = 2, 0.94, 0.01
"""One type with l = l' = 1 (S = 3): ``C = M^pi = 6`` and ``Delta^pi = 1`` with threshold 2."""

MEMORY = 3 * THRESHOLD
TRIPLED = (1, 3, 9, 27, 81)
QUADRUPLED = (1, 4, 16, 64, 256)

AGREE_S = 1e-6
"""How far engine and recursion may be apart, seconds on a clock of up to 1e5."""


def _one(rng: np.random.Generator, rate: float, scales: tuple[int, ...], replications: int, horizon: float) -> Instance:
    """One type on the engine."""
    types = [PromptType(rate, 1, 1)]
    hardware = linear_hardware(D0, D1, MEMORY)
    seed = int(rng.integers(2**32))
    policy = wait_with(types, hardware, [THRESHOLD])
    study = scaling_study(types, hardware, policy, scales, replications, seed, horizon_s=horizon)
    return {
        "rate": rate,
        "seed": seed,
        "horizon": horizon,
        "scales": list(scales),
        "replications": replications,
        "slopes": exponents(study, _ALL),
        "touched_by_end": touched_by_end(study),
    }


@dataclass(slots=True)
class Compared:
    """WAIT with one type by the recursion of its cohorts, held against the engine on the first few paths.

    Parameters
    ----------
    engine_paths : int
        On how many.
    farthest_s : float
        Largest distance of a completion on the engine from the recursion's, among those before the last arrival.
    """

    engine_paths: int
    farthest_s: float = 0.0

    def __call__(self, path: ArrivalPath) -> Served:
        """Serve a path."""
        found = serve_cohorts(path, THRESHOLD, D0, D1)
        if self.engine_paths:
            self.engine_paths -= 1
            hardware = linear_hardware(D0, D1, MEMORY)
            ran = serve(path, Fleet.identical(hardware), wait_with(path.types, hardware, [THRESHOLD]))
            before_end = found.completion_s <= path.arrival_s[-1]
            distance = np.abs(found.completion_s - ran.completion_s)[before_end]
            self.farthest_s = max(self.farthest_s, float(distance.max()))
        return found


def _one_compared(rng: np.random.Generator, replications: int, horizon: float, engine_paths: int) -> Instance:
    """One critical type: many paths by the recursion, some of them on the engine too."""
    seed = int(rng.integers(2**32))
    server = Compared(engine_paths)
    types = [PromptType(float(THRESHOLD), 1, 1)]
    study = study_of(server, types, "wait", QUADRUPLED, replications, seed, horizon_s=horizon)
    return {
        "seed": seed,
        "horizon": horizon,
        "scales": list(QUADRUPLED),
        "replications": replications,
        "engine_paths": engine_paths,
        "farthest_s": server.farthest_s,
        "slopes": exponents(study, _ALL),
        "touched_by_end": touched_by_end(study),
    }


def compared_slack(x: Instance, expected: Mapping[str, float]) -> float:
    """Exponents, as long as engine and recursion agree to a millionth of an iteration; minus infinity if not."""
    return exponent_slack(x, expected) if x["farthest_s"] <= AGREE_S else -math.inf


def _two(rng: np.random.Generator, replications: int, horizon: float) -> Instance:
    """Two types with thresholds (1, 1): mean arrivals per full iteration 0.7 (slack) and 1 (none).

    ``d1`` is small: iterations without the first type are hardly shorter, and the second type stays critical.
    """
    types = [PromptType(0.7, 1, 1), PromptType(1.0, 2, 1)]
    hardware = linear_hardware(1 - 8e-5, 1e-5, 8)
    seed = int(rng.integers(2**32))
    policy = wait_with(types, hardware, [1, 1])
    study = scaling_study(types, hardware, policy, TRIPLED, replications, seed, horizon_s=horizon)
    wanted = [(metric, kind) for kind in ("0", "1") for metric in ("latency_mean", "ttft_mean")]
    return {"seed": seed, "slopes": exponents(study, wanted), "touched_by_end": touched_by_end(study)}


def two_types_slack(x: Instance, first: float, second: float) -> float:
    """Exponents of the delays of both types; the second's may be 1/4 off."""
    delays = [label(metric, "{}") for metric in ("latency_mean", "ttft_mean")]
    slack = exponent_slack(x, {name.format("0"): first for name in delays})
    return min(slack, exponent_slack(x, {name.format("1"): second for name in delays}, 0.25))


def critical_rates() -> dict[str, float]:
    """Exponents without slack."""
    return {"throughput_gap": -0.5, "latency_mean": 0.5, "ttft_mean": 0.5}


def slack_rates() -> dict[str, float]:
    """Exponents with slack."""
    return {"throughput_gap": -1.0, "latency_mean": 0.0, "ttft_mean": 0.0}


CLAIMS = (
    Claim(
        "wait-critical-rates",
        "Delta^pi = n / lambda: throughput gap (zeta T)^(-1/2), latency and TTFT (zeta T)^(1/2); exponents within 0.15 "
        "(two-sided: ours)",
        f"{SOURCE}; paths by the recursion of wait-one-type-recursion, the first ones on the engine too",
        partial(_one_compared, replications=200, horizon=400.0, engine_paths=6),
        partial(compared_slack, expected=critical_rates()),
        Once(1 - ERROR),
        quick_sample=partial(_one_compared, replications=160, horizon=100.0, engine_paths=1),
    ),
    Claim(
        "wait-slack-rates",
        "Delta^pi < n / lambda: throughput gap 1 / (zeta T), latency and TTFT O(1); exponents within 0.15 "
        "(two-sided: ours)",
        SOURCE,
        partial(_one, rate=1.6, scales=QUADRUPLED, replications=48, horizon=20.0),
        partial(exponent_slack, expected=slack_rates()),
        Once(1 - ERROR),
        quick_sample=partial(_one, rate=1.6, scales=TRIPLED, replications=64, horizon=10.0),
    ),
    Claim(
        "wait-type-wise-slack",
        "slack for type 1 alone: its delays O(1) (exponents within 0.15 of 0) while those of type 2, without, grow "
        "(exponents within 1/4 of 1/2)",
        f"{SOURCE}, type-wise (second version); that those of type 2 grow is ours",
        partial(_two, replications=32, horizon=200.0),
        partial(two_types_slack, first=0.0, second=0.5),
        Once(1 - ERROR),
        quick_sample=partial(_two, replications=28, horizon=50.0),
    ),
)
