"""WAIT's fluid equilibrium (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320): identities, and stability."""

from __future__ import annotations

from functools import partial

import numpy as np

from fluid import ClassRate, equilibrium
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine
from proofs_check.claim import Claim
from proofs_check.rules import Instance

PAPER = "arXiv 2504.11320"


def _random_system(rng: np.random.Generator, most: float = 0.98) -> Instance:
    """One to four types with d1 * sum(lambda S) between 0.02 and `most`."""
    count = int(rng.integers(1, 5))
    prompts = rng.integers(1, 2000, count).tolist()
    decodes = rng.integers(1, 600, count).tolist()
    weights = rng.uniform(0.05, 1.0, count)
    d0, d1 = float(10 ** rng.uniform(-3, 0)), float(10 ** rng.uniform(-8, -3))
    volume = [(k + 1) * (length + k / 2) for length, k in zip(prompts, decodes, strict=True)]
    rho = float(rng.uniform(0.02, most))
    rates = (weights * rho / (d1 * float(weights @ np.array(volume)))).tolist()
    capacity = int(max(max(p + k for p, k in zip(prompts, decodes, strict=True)), 10 ** rng.uniform(1, 7)))
    return {"d0": d0, "d1": d1, "rates": rates, "prompts": prompts, "decodes": decodes, "C": capacity, "rho": rho}


def _fleet(x: Instance) -> Fleet:
    return Fleet.identical(Hardware("wait", Affine.wait(x["d0"], x["d1"]), x["C"]))


def _classes(x: Instance) -> list[ClassRate]:
    types = zip(x["rates"], x["prompts"], x["decodes"], strict=True)
    return [ClassRate(rate, prompt, decode + 1) for rate, prompt, decode in types]


def _demand(x: Instance) -> float:
    """``sum_j lambda_j S_j``, token-iterations per second."""
    types = zip(x["rates"], x["prompts"], x["decodes"], strict=True)
    return float(sum(rate * (k + 1) * (length + k / 2) for rate, length, k in types))


def _closed_form_slack(x: Instance) -> float:
    """Minus the relative distance of the computed equilibrium from ``Delta* = d0 / (1 - rho)`` and ``M*``."""
    found = equilibrium(_classes(x), _fleet(x))
    assert found.iteration_s is not None
    assert found.memory_tokens is not None
    delta = x["d0"] / (1 - x["rho"])
    memory = delta * _demand(x)
    return -float(max(abs(found.iteration_s / delta - 1), abs(found.memory_tokens / memory - 1)))


def _balance_slack(x: Instance) -> float:
    """Minus the relative error of ``Delta* = d0 + d1 M*``."""
    found = equilibrium(_classes(x), _fleet(x))
    assert found.iteration_s is not None
    assert found.memory_tokens is not None
    return -abs(float(x["d0"] + x["d1"] * found.memory_tokens) / found.iteration_s - 1)


def _iterated(x: Instance) -> float:
    """Limit of ``Delta <- d0 + d1 sum_j lambda_j Delta sum_s (l_j + s)`` from 0, seconds; stages one by one."""
    types = zip(x["rates"], x["prompts"], x["decodes"], strict=True)
    volumes = [(rate, sum(length + stage for stage in range(steps + 1))) for rate, length, steps in types]
    delta, after = 0.0, float(x["d0"])
    while after - delta > 1e-14 * after:
        delta, after = after, float(x["d0"] + x["d1"] * sum(rate * after * volume for rate, volume in volumes))
    return after


def _iteration_slack(x: Instance) -> float:
    """Minus the relative distance of the computed ``Delta*`` from the limit of the iteration."""
    found = equilibrium(_classes(x), _fleet(x))
    assert found.iteration_s is not None
    return -abs(found.iteration_s / _iterated(x) - 1)


def _two_forms_slack(x: Instance) -> float:
    """Positive when ``rho < 1 and M* <= C`` and ``sum lambda S <= C / (d0 + d1 C)`` agree, or are within rounding."""
    demand, limit = _demand(x), x["C"] / (x["d0"] + x["d1"] * x["C"])
    agree = equilibrium(_classes(x), _fleet(x)).fits == (demand <= limit)
    return 1.0 if agree else -abs(float(demand / limit) - 1)


CLAIMS = (
    Claim(
        "wait-equilibrium-closed-form",
        "Delta* = d0 / (1 - rho) and M* = d0 sum(lambda S) / (1 - rho), rho = d1 sum(lambda S)",
        f"{PAPER}, fluid equilibrium",
        _random_system,
        _closed_form_slack,
    ),
    Claim(
        "wait-equilibrium-balance",
        "Delta* = d0 + d1 M*",
        f"{PAPER}, fluid equilibrium",
        _random_system,
        _balance_slack,
    ),
    Claim(
        "wait-equilibrium-iteration",
        "Delta* is the limit of Delta <- d0 + d1 sum_j lambda_j Delta sum_s (l_j + s) from 0",
        f"{PAPER}, fluid equilibrium; the iteration is ours",
        _random_system,
        _iteration_slack,
    ),
    Claim(
        "wait-two-stability-forms",
        "rho < 1 and M* <= C  if and only if  sum(lambda S) <= C / (d0 + d1 C)",
        f"{PAPER}, stability region; second form ours",
        partial(_random_system, most=1.5),
        _two_forms_slack,
    ),
)
