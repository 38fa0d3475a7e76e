"""Identity of a whole specification."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from experiments.spec.choices import axes_of
from experiments.tasks.identity import DIGITS, canonical

if TYPE_CHECKING:
    from experiments.spec.experiment_spec import ExperimentSpec


def key_of(spec: ExperimentSpec) -> str:
    """Hash of all that matters; see `ExperimentSpec.key`."""
    axes = axes_of(spec)
    facts = {
        "workloads": sorted(canonical(workload.facts) for _, workload in axes.workloads),
        "fleets": sorted(canonical({**fleet.choice.facts, "router": fleet.router}) for fleet in axes.fleets),
        "policies": sorted(canonical(policy.asked.facts) for policy in axes.policies),
        "predictors": sorted(spec.predictors),
        "axis": spec.axis,
        "points": sorted(spec.points),
        "load": spec.load,
        "requests": spec.requests,
        "replications": None if spec.precision is not None else spec.replications,
        "seeds": sorted(spec.seeds),
        "warm_up": spec.warm_up,
        "metrics": sorted(spec.metrics),
        "bounds": spec.bounds,
        "slo": None if spec.slo is None else spec.slo.model_dump(),
        "precision": None if spec.precision is None else spec.precision.model_dump(),
    }
    return hashlib.sha256(canonical(facts).encode()).hexdigest()[:DIGITS]
