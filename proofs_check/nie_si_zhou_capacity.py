"""The stable service rate under KV memory (Nie, Si, Zhou; arXiv 2605.04595) and what else gives the same number.

``mu = M / (b E[g])`` with M the memory, b the mean batch time and g the memory area of a request, about
``o (s + o/2)``. The exact area with chunked prompts is not known to us. Ours: b is the time of a full memory,
``d0 + d1 M``, and ``g = S = o (s + (o - 1)/2)``, what a request with prompt s holds over its o iterations here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fluid import ClassRate, capacity, stability_limits
from orsched.catalogue import Hardware
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.work import Floats, Ints, RequestWork
from orsched.workloads import Workload
from policies import build
from proofs_check.claim import Claim
from proofs_check.rules import Always, Instance

PAPER = "arXiv 2605.04595"

Area = Callable[[Ints, Ints], Floats]


def held_area(prompts: Ints, outputs: Ints) -> Floats:
    """S: token-iterations a request holds, ``o (s + (o - 1)/2)``."""
    return outputs * (prompts + (outputs - 1) / 2)


def service_rate(x: Instance, prompts: ArrayLike, outputs: ArrayLike, weights: ArrayLike, area: Area) -> float:
    """``M / (b E[g])``, requests per second, g averaged with these weights."""
    mean = np.average(area(np.asarray(prompts), np.asarray(outputs)), weights=np.asarray(weights))
    return float(x["M"] / ((x["d0"] + x["d1"] * x["M"]) * mean))


def fleet_of(x: Instance) -> Fleet:
    """One instance with WAIT's service model and no limit on running requests but the memory."""
    return Fleet.identical(Hardware("theory", Affine.wait(x["d0"], x["d1"]), x["M"], max_num_seqs=x["M"]))


def wait_boundary(classes: list[ClassRate], fleet: Fleet) -> float:
    """Requests per second at the edge of WAIT's fluid stability region."""
    return stability_limits(classes, fleet).crossing * sum(kind.rate_per_s for kind in classes)


def planning_capacity(classes: list[ClassRate], fleet: Fleet) -> float:
    """Requests per second at load one of the planning LP."""
    return capacity(classes, fleet).max_rate_per_s


def agrees(route: Callable[[list[ClassRate], Fleet], float], area: Area = held_area) -> Callable[[Instance], float]:
    """Minus the relative distance of the published rate from another route to it."""

    def slack(x: Instance) -> float:
        kinds = zip(x["rates"], x["prompts"], x["outputs"], strict=True)
        other = route([ClassRate(*kind) for kind in kinds], fleet_of(x))
        return -abs(service_rate(x, x["prompts"], x["outputs"], x["rates"], area) / other - 1)

    return slack


def area_slack(x: Instance) -> float:
    """Least ``1 / (2 s + o - 1)`` less the relative error of ``o (s + o/2)`` for the KV volume of `orsched.work`."""
    prompts, outputs = np.array(x["prompts"]), np.array(x["outputs"])
    error = outputs * (prompts + outputs / 2) / RequestWork.of(prompts, outputs).kv_volume - 1
    return float((1 / (2 * prompts + outputs - 1) - abs(error)).min())


def saturated(area: Area = held_area) -> Callable[[Instance], float]:
    """How far inside 0.9 to 1 a policy's completions per second are, over the rate; all requests there at once."""

    def slack(x: Instance) -> float:
        draw = np.random.default_rng(x["seed"])
        prompts, outputs = (draw.integers(low, high, x["requests"]) for low, high in (x["prompts"], x["outputs"]))
        work, fleet = Workload.of(np.zeros(x["requests"]), prompts, outputs), fleet_of(x)
        last = float(simulate(work, fleet, build(x["policy"], work, fleet)).completion_s.max())
        share = x["requests"] / last / service_rate(x, prompts, outputs, np.ones(x["requests"]), area)
        return float(min(share - 0.9, 1 - share))

    return slack


def random_mix(rng: np.random.Generator) -> Instance:
    """One to four classes, memory for at least the largest request."""
    count = int(rng.integers(1, 5))
    prompts, outputs = rng.integers(1, 2000, count).tolist(), rng.integers(1, 600, count).tolist()
    least = max(s + o for s, o in zip(prompts, outputs, strict=True))
    return {
        "rates": rng.uniform(0.05, 5.0, count).tolist(),
        "prompts": prompts,
        "outputs": outputs,
        "d0": float(10 ** rng.uniform(-3, -1)),
        "d1": float(10 ** rng.uniform(-8, -4)),
        "M": int(max(least, 10 ** rng.uniform(3, 6.5))),
    }


def random_backlog(rng: np.random.Generator) -> Instance:
    """2000 requests with uniform lengths, memory for 10 to 40 of the largest."""
    ranges = {}
    for which, (least, width) in {"prompts": (400, 600), "outputs": (200, 400)}.items():
        low = int(rng.integers(1, least))
        ranges[which] = [low, low + int(rng.integers(2, width))]
    return {
        "policy": str(rng.choice(["vllm-v1", "sarathi"])),
        **ranges,
        "requests": 2000,
        "seed": int(rng.integers(2**31)),
        "d0": float(10 ** rng.uniform(-3, -1)),
        "d1": float(10 ** rng.uniform(-8, -5)),
        "M": int((ranges["prompts"][1] + ranges["outputs"][1]) * rng.uniform(10, 40)),
    }


CLAIMS = (
    Claim(
        "nie-rate-is-wait-boundary",
        "M / (b E[g]) with b = d0 + d1 M and E[g] = mean S is the edge of WAIT's fluid stability region",
        f"{PAPER}, stable service rate (third-party notes); identity with arXiv 2504.11320 ours",
        random_mix,
        agrees(wait_boundary),
    ),
    Claim(
        "nie-rate-is-planning-capacity",
        "M / (b E[g]) with b = d0 + d1 M and E[g] = mean S is the planning LP's capacity",
        f"{PAPER}, stable service rate (third-party notes); identity with the planning LP (docs/bounds.md) ours",
        random_mix,
        agrees(planning_capacity),
        Always(tolerance=1e-8),
    ),
    Claim(
        "nie-memory-area",
        "o (s + o/2) is the KV volume by which this toolkit counts work, to a relative error of 1 / (2 s + o - 1)",
        f"{PAPER}, memory area (third-party notes); comparison with orsched.work ours",
        random_mix,
        area_slack,
    ),
    Claim(
        "nie-saturated-rate",
        "saturated vLLM v1 and Sarathi-Serve complete 0.9 to 1 times M / (b E[g]); memory for 10 to 40 requests",
        f"{PAPER}, stability of work-conserving rules (third-party notes: to about 10% on GPUs); simulation ours",
        random_backlog,
        saturated(),
        Always(60, 6),
    ),
)
