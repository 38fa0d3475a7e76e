"""The toolkit's own theorem: no simulated policy beats its pathwise bounds (docs/bounds.md)."""

from __future__ import annotations

import numpy as np

from fluid import bounds
from orsched.catalogue import Hardware
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.metrics import measure
from orsched.service import Affine, Hinged
from orsched.workloads import Workload
from policies import RECIPES, build
from proofs_check.claim import Claim
from proofs_check.rules import Always, Instance

_SERVED_BY = tuple(name for name in sorted(RECIPES) if "wait" not in name)


def _random_run(rng: np.random.Generator) -> Instance:
    n = int(rng.integers(2, 60))
    return {
        "policy": str(rng.choice(_SERVED_BY)),
        "hinged": bool(rng.integers(2)),
        "gaps_s": rng.exponential(1 / rng.uniform(1, 60), n).tolist(),
        "inputs": rng.integers(1, 400, n).tolist(),
        "outputs": rng.integers(1, 100, n).tolist(),
        "C": int(rng.integers(500, 4000)),
        "B_max": int(rng.integers(2, 60)),
    }


def least_gap(x: Instance) -> float:
    """Smallest relative gap of the run to any of its valid pathwise bounds."""
    service = Hinged(0.01, 1e-6, 2e-6, 3e-7, 64, 5e-5, 1e-8) if x["hinged"] else Affine(0.012, 6e-5, 5e-5, 1e-7)
    fleet = Fleet.identical(Hardware("random", service, x["C"], x["B_max"]))
    workload = Workload.of(np.cumsum(x["gaps_s"]), x["inputs"], x["outputs"])
    metrics = measure(simulate(workload, fleet, build(x["policy"], workload, fleet)))
    found = [b for b in bounds(workload, fleet) if b.valid and b.metric in metrics and b.value > 0]
    return min(b.gap(metrics[b.metric], metric=b.metric, subject=b.subject) for b in found)


CLAIMS = (
    Claim(
        "pathwise-bounds-hold",
        "every policy's metric lies on the right side of every pathwise bound of its sample path",
        "docs/bounds.md (ours)",
        _random_run,
        least_gap,
        Always(25, 6),
    ),
)
