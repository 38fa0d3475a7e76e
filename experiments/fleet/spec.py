"""A fleet experiment: what a specification means, built and checked, with nothing left to look up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import policies
from experiments.comparison.roles import require_roles
from experiments.fleet.demand_tables import RATES, TierTable, WorkloadTable, drawn_tiers
from experiments.fleet.fleet_tables import fleet_of
from experiments.fleet.paths import PathSource, Rate
from experiments.fleet.policy_table import PolicyTable
from experiments.fleet.spec_file import MOST_REPLICATIONS, GoodputTable, ScoringName, SpecFile
from experiments.fleet.streams import FleetStream, fleet_seed
from experiments.fleet.tiers import ClassTiers, OwnClasses, TierRule
from experiments.paths.source import fleet_notices, source_for
from orsched.checks import require_whole
from orsched.errors import InputError
from orsched.faults import Fault
from orsched.faults_schedule import FaultSchedule
from orsched.fitting import DROP_IN_FILE, require_fit
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.request import RequestClass
from orsched.statistics.warmup import warm_up
from orsched.workloads import GammaRenewal, Poisson, Workload
from orsched.workloads.files import FORMATS

MOST_SAMPLED = 10_000_000
"""Most samples of the load of the time line, over all instances."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy under the label it has in tables."""

    label: str
    system: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class FleetExperiment:
    """Policies on a fleet, on common sample paths, under common faults.

    Parameters
    ----------
    name, description : str
        Labels.
    paths : PathSource
        What arrives.
    fleet : Fleet
        What serves.
    tiers : tuple of RequestClass
        The classes of the paths.
    contenders : tuple of Contender
        Who decides; the first is what the others are compared with.
    faults : tuple of Fault
        Listed faults, the same on every path.
    schedule : FaultSchedule, optional
        Law of further faults, drawn for each path.
    fault_seed : int
        Of that law.
    replications : int
        Paths.
    warm_up : str
        Rule for arrivals left out of times and attainment.
    workers : int, optional
        Processes; None: as many as pay off.
    scoring : {"mean-tpot", "deadlines"}
        When a request is within its objective.
    attainment : float
        Share of requests within their objectives at which a rate counts as sustained.
    goodput : GoodputTable, optional
        Whether and how to search for the largest such rate.
    sample_every_s : float, optional
        Distance of the samples of the load.
    keep_requests : bool
        Whether runs are kept.
    notices : tuple of str
        What was changed or assumed.
    """

    name: str
    description: str
    paths: PathSource
    fleet: Fleet
    tiers: tuple[RequestClass, ...]
    contenders: tuple[Contender, ...]
    faults: tuple[Fault, ...] = ()
    schedule: FaultSchedule | None = None
    fault_seed: int = 0
    replications: int = 5
    warm_up: str = "none"
    workers: int | None = None
    scoring: ScoringName = "mean-tpot"
    attainment: float = 0.9
    goodput: GoodputTable | None = None
    sample_every_s: float | None = None
    keep_requests: bool = False
    notices: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether every tier has an objective."""
        return all(tier.slo is not None for tier in self.tiers)

    def faults_of(self, replication: int) -> tuple[Fault, ...]:
        """Everything that breaks on one path, in order of time."""
        if self.schedule is None:
            return self.faults
        drawn = self.schedule.draw(self.fleet.size, fleet_seed(self.fault_seed, FleetStream.FAULTS, replication))
        return tuple(sorted((*self.faults, *drawn), key=lambda fault: (fault.at_s, fault.instance)))


def fleet_experiment(
    spec: SpecFile,
    name: str,
    folder: Path,
    *,
    replications: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
) -> FleetExperiment:
    """Build what a specification means.

    Parameters
    ----------
    spec : SpecFile
        A specification, checked.
    name : str
        Label.
    folder : Path
        What its paths are relative to.
    replications, seed, workers : int, optional
        In place of those of the specification.

    Raises
    ------
    InputError
        Naming the field that cannot be used.
    """
    table = spec.experiment
    if replications is not None:
        require_whole("replications", replications, most=MOST_REPLICATIONS)
    try:
        warm_up([0.0], table.warm_up)
    except InputError as error:
        raise InputError(f"experiment.warm_up: {error}") from None
    fleet = fleet_of(spec.group, spec.migration, folder)
    paths = _paths(spec, fleet, folder, table.seed if seed is None else seed)
    representative = paths.representative()
    _require_few_samples(table.sample_every_s, paths.requests / representative.rate_per_s, fleet.size)
    _require_fit(paths.source.whole(), fleet)
    if spec.goodput is not None and any(one.slo is None for one in representative.classes):
        raise InputError("goodput: needs a [[tier]], which says what a request within its objective is")
    random = spec.faults.random
    return FleetExperiment(
        name=name,
        description=spec.description,
        paths=paths,
        fleet=fleet,
        tiers=representative.classes,
        contenders=tuple(_contender(k, one, representative, fleet) for k, one in enumerate(spec.policy)),
        faults=spec.faults.listed(fleet.size),
        schedule=None if random is None else random.schedule(fleet.size),
        fault_seed=0 if random is None else random.seed,
        replications=table.replications if replications is None else replications,
        warm_up=table.warm_up,
        workers=table.workers if workers is None else workers,
        scoring=table.scoring,
        attainment=table.attainment,
        goodput=spec.goodput,
        sample_every_s=table.sample_every_s,
        keep_requests=table.keep_requests,
        notices=fleet_notices(paths.source, spec.workload.requests, fleet),
    )


def _paths(spec: SpecFile, fleet: Fleet, folder: Path, seed: int) -> PathSource:
    table = spec.workload
    name = table.name
    if name.lower().endswith(tuple(FORMATS)) or (folder / name).is_file():
        name = str(folder / name)
    try:
        source = source_for(name, fleet, table.drop_oversized)
    except InputError as error:
        raise InputError(f"workload.name: {error}") from None
    kind = next((kind for kind in RATES if getattr(table, kind) is not None), "scale")
    value = getattr(table, kind)
    rate = Rate(kind, 1.0 if value is None else value)  # type: ignore[arg-type]
    arrivals = {"recorded": None, "poisson": Poisson(1.0), "gamma": GammaRenewal(1.0, table.cv or 0.0)}[table.arrivals]
    return PathSource(source, fleet, rate, arrivals, _tier_rule(spec.tier, table), table.requests, seed)


def _tier_rule(tiers: list[TierTable], table: WorkloadTable) -> TierRule:
    if table.tiers == "class":
        return ClassTiers(tuple(tier.request_class() for tier in tiers))
    if not tiers:
        return OwnClasses()
    return drawn_tiers(tiers)


def _contender(place: int, table: PolicyTable, representative: Workload, fleet: Fleet) -> Contender:
    try:
        system = table.system()
        policy = system.build(representative, fleet, table.chosen_settings())
        if table.predictor is not None:
            policy = policy.predicted_by(policies.build_predictor(table.predictor, representative))
        require_roles(policy, fleet)
    except InputError as error:
        raise InputError(f"policy.{place} ({table.shown_name}): {error}") from None
    return Contender(table.shown_name, system.name, policy)


def _require_fit(workload: Workload, fleet: Fleet) -> None:
    try:
        require_fit(workload, fleet, DROP_IN_FILE)
    except InputError as error:
        raise InputError(f"workload: {error}") from None


def _require_few_samples(every_s: float | None, span_s: float, size: int) -> None:
    if every_s is not None and span_s * size > MOST_SAMPLED * every_s:
        raise InputError(
            f"experiment.sample_every_s = {every_s:g}: more than {MOST_SAMPLED:,} samples of instances in the "
            f"{span_s:.4g} s of a path"
        )
