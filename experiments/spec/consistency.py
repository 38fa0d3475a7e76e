"""What fields of a specification that are right by themselves may contradict in each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.comparison.experiment import MOST_REQUESTS
from experiments.distinct import require_distinct
from orsched.errors import InputError, unknown_name
from orsched.metrics import METRICS
from orsched.statistics.warmup import warm_up

if TYPE_CHECKING:
    from experiments.spec.experiment_spec import ExperimentSpec

AXES = ("loads", "rates_per_s", "scales")
"""Ways to say how much arrives; one of them."""

MOST_TASKS = 1_000_000
"""Most tasks of an experiment."""

OF_SLO = ("goodput_requests_per_s", "slo_attainment")
"""Metrics that need an objective."""

OF_DEADLINES = ("deadline_goodput_requests_per_s", "deadline_attainment")
"""Metrics of fleet experiments with an objective for each request."""


def require_consistent(spec: ExperimentSpec) -> None:
    """Refuse contradictions and repetitions.

    Raises
    ------
    InputError
        Naming the field.
    """
    _require_one_axis(spec)
    for name in ("workloads", "fleets", "policies"):
        require_distinct(name, [entry.shown for entry in getattr(spec, name)], "set a label")
    for name in (*AXES, "predictors", "seeds", "metrics"):
        require_distinct(name, getattr(spec, name) or (), "leave one out")
    try:
        warm_up([0.0], spec.warm_up)
    except InputError as error:
        raise InputError(f"warm_up: {error}") from None
    _require_tiers(spec)
    _require_metrics(spec)
    if spec.precision is not None and "replications" in spec.model_fields_set:
        raise InputError("replications: goes not with precision, which decides how many; set precision.least and most")
    _require_size(spec)


def _require_one_axis(spec: ExperimentSpec) -> None:
    given = [name for name in AXES if getattr(spec, name) is not None]
    if len(given) > 1:
        raise InputError(f"{given[1]}: goes not with {given[0]}; give one of {', '.join(AXES)}")
    if not given:
        raise InputError(f"loads: missing; give one of {', '.join(AXES)}")
    if spec.scales is None and spec.load is not None:
        raise InputError(f"load = {spec.load:g}: goes with scales only; several loads are given as loads = [...]")
    if spec.scales is not None and spec.load is None:
        raise InputError("load: missing; scales need one load, the same at every scale")


def _require_tiers(spec: ExperimentSpec) -> None:
    """Tiers of groups are those of requests, where requests have tiers."""
    known = {tier.name for workload in spec.workloads for tier in workload.tiers or ()}
    for row, fleet in enumerate(spec.fleets):
        for place, group in enumerate(fleet.groups or ()):
            if known and group.tier is not None and group.tier not in known:
                raise InputError(f"fleets.{row}.groups.{place}.tier: {unknown_name('tier', group.tier, known)}")


def _require_metrics(spec: ExperimentSpec) -> None:
    is_tiered = all(workload.tiers is not None for workload in spec.workloads)
    if is_tiered and spec.slo is not None:
        raise InputError("slo: goes not with tiers of every workload, whose objectives count instead")
    for place, name in enumerate(spec.metrics):
        if name not in METRICS:
            raise InputError(f"metrics.{place}: {unknown_name('metric', name, METRICS)}")
        if name in OF_DEADLINES:
            raise InputError(f"metrics.{place} = {name!r}: needs deadlines of each request, see `orsched fleet`")
        if name in OF_SLO and spec.slo is None and not is_tiered:
            raise InputError(f"metrics.{place} = {name!r}: needs [slo], or tiers of every workload")
    if spec.precision is not None and spec.precision.metric not in spec.metrics:
        raise InputError(f"precision.metric = {spec.precision.metric!r}: must be one of metrics")


def _require_size(spec: ExperimentSpec) -> None:
    for place, scale in enumerate(spec.scales or ()):
        requests = scale * spec.requests
        if not 2 <= round(requests) <= MOST_REQUESTS:
            raise InputError(
                f"scales.{place} = {scale:g}: scale x requests = {requests:g} must be from 2 to {MOST_REQUESTS:,}"
            )
    cells = len(spec.workloads) * len(spec.fleets) * len(spec.points) * len(spec.seeds)
    replications = spec.replications if spec.precision is None else spec.precision.most
    tasks = cells * replications * (len(spec.policies) * len(spec.predictors) + (spec.bounds != "none"))
    if tasks > MOST_TASKS:
        raise InputError(f"{tasks:,} tasks: an experiment has at most {MOST_TASKS:,}; take fewer replications")
