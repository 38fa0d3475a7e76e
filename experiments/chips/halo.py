"""HALO (arXiv 2510.02675) as two resources whose free rates are solved for from the two speedups it reports.

The rates are calibrated, not HALO's hardware: nothing of that is published in what we have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from orsched.devices import Chip, ModelConfig, model_config
from orsched.service import Batch, ServiceModel
from orsched.service.roofline import TwoResource

SPEEDUPS = {"attention-on-memory": 18.0, "all-memory": 2.5}
"""Geometric-mean speedups of the phase-aware mapping over AttAcc's and over CENT's mapping (abstract)."""

MODELS = ("llama2-7b", "qwen3-8b")
"""The models of the abstract."""

LENGTHS = tuple(product((2048, 4096, 8192), (512, 1024, 2048)))
"""Prompt and output lengths: ours, for "low batch, long context"; HALO's grid is not published in what we have."""

BATCH = 1
"""Requests in a batch: ours, as above."""


def end_to_end_s(service: ServiceModel, prompt_tokens: int, output_tokens: int, batch: int = BATCH) -> float:
    """Seconds from the start of `batch` equal requests to their last tokens: one prefill, then decodes together."""
    prefill = service.iteration_s(Batch(batch * prompt_tokens, batch * prompt_tokens**2 / 2))
    return prefill + service.decode_curve(batch).total(batch * prompt_tokens, batch, output_tokens - 1)


def geometric_speedup(
    compute: Chip,
    memory: Chip,
    mapping: str,
    models: Sequence[ModelConfig],
    lengths: Sequence[tuple[int, int]] = LENGTHS,
    batch: int = BATCH,
) -> float:
    """Geometric mean over models and lengths of the time of `mapping` over that of the phase-aware mapping."""
    logs = []
    for model in models:
        aware, other = TwoResource(compute, memory, model), TwoResource(compute, memory, model, mapping)
        for prompt, output in lengths:
            ratio = end_to_end_s(other, prompt, output, batch) / end_to_end_s(aware, prompt, output, batch)
            logs.append(math.log(ratio))
    return math.exp(sum(logs) / len(logs))


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Rates of the two engines with which the two speedups come out.

    Parameters
    ----------
    compute_flops : float
        Achieved FLOP/s of the compute engine, ``R_m``.
    external_bytes_s : float
        Achieved bytes/s at which it is loaded, ``B_ext``.
    speedups : mapping of str to float
        What they give, by mapping.
    """

    compute_flops: float
    external_bytes_s: float
    speedups: dict[str, float]


def calibrate(
    compute: Chip,
    memory: Chip,
    lengths: Sequence[tuple[int, int]] = LENGTHS,
    batch: int = BATCH,
) -> Calibrated:
    """Solve for the compute engine's FLOP/s and bandwidth; the memory engine stays as it is.

    Two equations, two unknowns, in logarithms, within 1e12 to 1e16 FLOP/s and 1e11 to 1e13 bytes/s. Where the speedups
    cannot be reached together the nearest are returned: compare `Calibrated.speedups` with `SPEEDUPS`. Multiplying all
    four rates by one factor changes no speedup, as the engines have no dispatch time.
    """
    from scipy.optimize import least_squares

    models = [model_config(name) for name in MODELS]

    def engine(log_rates: Sequence[float]) -> Chip:
        flops, bytes_s = (float(10.0**x) for x in log_rates)
        return replace(compute, fp16_flops=flops, bandwidth_bytes_s=bytes_s)

    def errors(log_rates: Sequence[float]) -> list[float]:
        found = engine(log_rates)
        return [
            math.log(geometric_speedup(found, memory, mapping, models, lengths, batch) / target)
            for mapping, target in SPEEDUPS.items()
        ]

    solution = least_squares(errors, [14.5, 12.3], bounds=([12.0, 11.0], [16.0, 13.0]), xtol=1e-12, ftol=1e-12)
    found = engine(solution.x)
    return Calibrated(
        found.fp16_flops,
        found.bandwidth_bytes_s,
        {mapping: geometric_speedup(found, memory, mapping, models, lengths, batch) for mapping in SPEEDUPS},
    )
