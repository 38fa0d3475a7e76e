"""WAIT's fluid numbers, computed by the software from the authors' constants."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from experiments.reproductions.published import Mark, PublishedConstant, PublishedItem
from experiments.reproductions.wait.device import LINEAR_LMSYS
from fluid import ClassRate, equilibrium, stability_limits
from orsched.catalogue import hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.work import RequestWork

GROUP = "Fluid model (computed, not simulated)"
LMSYS_VOLUME = 29_159.36
"""Published mean S of the LMSYS lengths, token-iterations per request."""

P512D1000 = Affine.wait(0.01010, 3.06e-7)
"""The pair implied by the repository's capacity table for p512d1000, rounded to four and three digits."""

LMSYS_MEMORY = ((50.0, 34_377.0), (60.0, 55_758.0), (70.0, 100_327.0), (80.0, 250_509.0))
LONG_MEMORY = ((2.0, 53_831.0), (2.5, 113_563.0), (3.0, 436_383.0))
"""Published M* (tokens) by rate (1/s)."""

SHORT, LONG = (512, 51), (512, 1001)


def lmsys_demand(rate_per_s: float) -> tuple[ClassRate, ...]:
    """Two classes whose mean S is the published one; the fluid sees of the lengths nothing else."""
    volumes = [_volume(lengths) for lengths in (SHORT, LONG)]
    share = (LMSYS_VOLUME - volumes[0]) / (volumes[1] - volumes[0])
    return ClassRate(rate_per_s * (1 - share), *SHORT), ClassRate(rate_per_s * share, *LONG)


def long_demand(rate_per_s: float) -> tuple[ClassRate, ...]:
    """p512d1000."""
    return (ClassRate(rate_per_s, *LONG),)


def linear(service: Affine | None = None) -> Fleet:
    """An instance of the published KV capacity with a linear model; the LMSYS pair by default."""
    entry = hardware(LINEAR_LMSYS)
    return Fleet.identical(entry if service is None else replace(entry, service=service))


def items() -> tuple[PublishedItem, ...]:
    """The published fluid numbers."""
    lmsys, long = "LMSYS lengths", "p512d1000"
    memory = [(rate, value, lmsys, lmsys_demand, linear(), 2e-5) for rate, value in LMSYS_MEMORY]
    memory += [(rate, value, long, long_demand, linear(P512D1000), 0.01) for rate, value in LONG_MEMORY]
    limits = stability_limits(lmsys_demand(1.0), linear())
    return (
        *(
            _constant(
                f"M* at {rate:g}/s, {what}, tokens", value, tolerance, partial(memory_tokens, demand(rate), fleet)
            )
            for rate, value, what, demand, fleet, tolerance in memory
        ),
        _constant(f"rate at which M* = C, {lmsys}, 1/s", 74.138, 1e-5, partial(float, limits.crossing)),
        _constant(f"pole, {lmsys}, 1/s", 88.440, 1e-5, partial(float, limits.pole)),
    )


def memory_tokens(demand: tuple[ClassRate, ...], fleet: Fleet) -> float:
    """``M*`` of a demand that has an equilibrium.

    Raises
    ------
    InputError
        When it has none.
    """
    found = equilibrium(demand, fleet).memory_tokens
    if found is None:
        raise InputError(f"no fluid equilibrium on {fleet.name} at {sum(c.rate_per_s for c in demand):g} requests/s")
    return found


def _constant(what: str, value: float, tolerance: float, ours: partial[float]) -> PublishedConstant:
    return PublishedConstant(GROUP, what, Mark.CODE, value, tolerance, ours)


def _volume(lengths: tuple[int, int]) -> float:
    """``S``: token-iterations of KV of one request."""
    prompt, outputs = lengths
    return float(RequestWork.of(np.array([prompt]), np.array([outputs])).kv_volume[0])
