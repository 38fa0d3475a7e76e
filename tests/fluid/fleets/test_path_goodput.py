"""The goodput LP over a sample path: no schedule on mixed hardware keeps more objectives."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import SERVICE_MODELS, random_workload, tight_hardware

from fluid.fleets.deadline_goodput import deadline_goodput_bound
from fluid.fleets.goodput_bound import goodput_bound
from fluid.fleets.mean_tpot import mean_tpot_goodput_bound
from fluid.fleets.path_goodput import path_goodput_bound
from fluid.pathwise.goodput import deadline_goodput_bounds, goodput_bounds
from orsched.catalogue import Hardware
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Group
from orsched.objectives import Objectives
from orsched.request import SLO, RequestClass
from orsched.scoring import deadlines, horizon_s, mean_tpot
from orsched.service import Affine
from orsched.workloads import Workload
from policies import ROUTERS
from policies.sarathi import sarathi
from policies.vllm_v1 import vllm_v1
from tests.support.tier_schedules import Job, fleets, play

SCORINGS = [
    (lambda r, _: r.gap, (goodput_bound, mean_tpot_goodput_bound, deadline_goodput_bound)),
    (lambda r, _: r.mean_gap, (mean_tpot_goodput_bound, deadline_goodput_bound)),
    (lambda r, ttft: r.pace(ttft), (deadline_goodput_bound,)),
]


def check(kinds, seed):
    """Objectives are drawn such that some requests just keep theirs; nobody has to be served in the end."""
    rng = random.Random(seed)
    arrivals = sorted(rng.choice([0.0, 0.0, 0.5, 3.0]) for _ in range(rng.randint(1, 14)))
    jobs = [Job(0, rng.randint(1, 9), rng.randint(1, 9), arrival=a) for a in arrivals]
    play(rng, jobs, kinds, rng.choice([5.0, 60.0]))
    done = [r for r in jobs if r.done]
    if not done:
        return
    fleet = Fleet(tuple(Group(kind.hardware, kind.size) for kind in kinds))
    work = Workload.of(arrivals, [r.prompt for r in jobs], [r.output for r in jobs])
    for tpot_of, bounds in SCORINGS:
        limits = []
        for _ in range(2):
            one = rng.choice(done)
            limits.append((one.ttft * (1 + 1e-9), max(tpot_of(one, one.ttft) * (1 + 1e-9), 1e-3)))
        classes = np.array([rng.randrange(2) for _ in jobs])
        each = np.array(limits)[classes]
        kept = [
            r.done and r.ttft <= ttft and tpot_of(r, ttft) <= tpot
            for r, (ttft, tpot) in zip(jobs, each.tolist(), strict=True)
        ]
        objectives = Objectives(each[:, 0], each[:, 1], classes, ("a", "b"))
        for tier_bound in bounds:
            bound = path_goodput_bound(work, fleet, objectives, tier_bound=tier_bound)
            assert bound.certified
            assert bound.validity == "pathwise"
            assert np.mean(kept) <= bound.value <= 1


@settings(max_examples=20)
@given(fleets(), st.integers(0, 2**32))
def test_no_schedule_keeps_more_objectives(kinds, seed):
    """Claim: under each scoring, with two objectives and requests that are never finished, the bounds hold."""
    check(kinds, seed)


@pytest.mark.slow
@settings(max_examples=400)
@given(fleets(), st.integers(0, 2**32))
def test_no_schedule_keeps_more_objectives_at_length(kinds, seed):
    """Claim: the same, on many more."""
    check(kinds, seed)


def test_by_hand():
    """Claim: one seat, 1 s for each token; of ten requests of 5 tokens due 10 s after time 0, two can be on time."""
    one = Fleet.identical(Hardware("one", Affine(1.0, 0.0, 0.0, 0.0), 1000, 1))
    work = Workload.of(np.zeros(10), np.full(10, 3), np.full(10, 5))
    bound = path_goodput_bound(work, one, Objectives.same(SLO(6.0, 1.0), 10))
    assert bound.certificate["on_time"] == 2
    assert bound.value == 0.2


def test_objectives_belong_to_the_path():
    """Claim: objectives of another workload are refused."""
    one = Fleet.identical(Hardware("one", Affine(1.0, 0.0, 0.0, 0.0), 1000, 1))
    with pytest.raises(InputError, match="2 objectives for 1 requests"):
        path_goodput_bound(Workload.of([0.0], [1], [1]), one, Objectives.same(SLO(1.0, 1.0), 2))


MIXED = Fleet(
    (
        Group(tight_hardware(SERVICE_MODELS["affine"], 6, 4)),
        Group(replace(tight_hardware(SERVICE_MODELS["hinged"], 8, 1), name="other")),
    )
)
FLEETS = {
    "one": Fleet.identical(tight_hardware(SERVICE_MODELS["affine"], 6, 4)),
    "two": Fleet.identical(tight_hardware(SERVICE_MODELS["hinged"], 8, 4), 2),
    "prefill and decode": Fleet(
        tuple(Group(tight_hardware(SERVICE_MODELS["affine"], 6, 4), role=role) for role in ("prefill", "decode"))
    ),
    "mixed": MIXED,
}


@pytest.mark.parametrize("fleet", sorted(FLEETS))
@pytest.mark.parametrize(
    "batcher", [vllm_v1(), sarathi(), sarathi(48, 7, 0.02)], ids=lambda policy: str(policy.settings)
)
def test_no_policy_of_the_engine_keeps_more(fleet, batcher):
    """Claim: three tiers, prompts handed over or not, chips alike or not: attainment under both scorings is at most the
    bound, and goodput at most what the bound leaves over the run's own horizon."""
    fleet = FLEETS[fleet]
    path = random_workload(11, n=120)
    base = simulate(path, fleet, batcher.routed_by(ROUTERS["jsq"]))
    paces = np.quantile(base.tpot_s, [0.2, 0.5, 0.8]).tolist()
    slos = [SLO(ttft, pace) for ttft, pace in zip(np.quantile(base.ttft_s, [0.3, 0.6, 0.6]), paces, strict=True)]
    classes = tuple(RequestClass(str(k), slo) for k, slo in enumerate(slos))
    path = replace(path, class_id=np.arange(120) % 3, classes=classes)
    run = simulate(path, fleet, batcher.routed_by(ROUTERS["jsq"]), deadlines=True)
    objectives = Objectives.of(path)
    for scoring, tier_bound, bounds in (
        (mean_tpot, mean_tpot_goodput_bound, goodput_bounds),
        (deadlines, deadline_goodput_bound, deadline_goodput_bounds),
    ):
        met = scoring(run, objectives)
        assert 0 < met.mean() < 1
        found = path_goodput_bound(path, fleet, objectives, tier_bound=tier_bound)
        assert met.mean() <= found.value
        assert met.sum() <= found.certificate["on_time"]
        if len(fleet.by_hardware()) == 1:
            share, rate = bounds(path, fleet, objectives)
            assert met.mean() <= share.value
            assert met.sum() / horizon_s(run) <= rate.value


BOUNDS = {
    "mean-tpot": (mean_tpot, mean_tpot_goodput_bound, goodput_bounds),
    "deadlines": (deadlines, deadline_goodput_bound, deadline_goodput_bounds),
}


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize(
    "slo", [SLO(0.01 - 5e-9, 0.1), SLO(0.01, 0.01 - 5e-15), SLO(0.01 - 5e-9, 0.01)], ids=["first", "pace", "both"]
)
def test_limits_missed_by_less_than_the_clock_errs_count_in_the_bounds_too(name, slo):
    """Claim: a request of a million tokens that misses a limit by half of what the clock may err by then, from time 0
    on, is kept by the scoring, and by every bound of it."""
    scoring, tier_bound, bounds = BOUNDS[name]
    fleet = Fleet.identical(Hardware("one", Affine(0.01, 0.0, 0.0, 0.0), 10**8, 8))
    path = Workload.of([0.0], [5], [10**6], classes=(RequestClass("a", slo),))
    run = simulate(path, fleet, vllm_v1(), deadlines=True)
    objectives = Objectives.of(path)
    assert scoring(run, objectives).all()
    assert path_goodput_bound(path, fleet, objectives, tier_bound=tier_bound).value == 1
    assert bounds(path, fleet, objectives)[0].value == 1


@settings(max_examples=8)
@given(fleets(), st.integers(0, 2**32))
def test_many_objectives_are_rounded_up(kinds, seed):
    """Claim: with an objective of its own for every request, what a schedule keeps is still at most the bound."""
    rng = random.Random(seed)
    jobs = [Job(0, rng.randint(1, 9), rng.randint(1, 9), arrival=rng.random()) for _ in range(14)]
    jobs.sort(key=lambda job: job.arrival)
    play(rng, jobs, kinds, 60.0)
    jobs = [r for r in jobs if r.done]
    if len(jobs) < 6:
        return
    limits = np.array([[r.ttft, r.mean_gap or 1.0] for r in jobs]) * np.array(
        [[rng.uniform(0.9, 1.5), rng.uniform(0.9, 1.5)] for _ in jobs]
    )
    fleet = Fleet(tuple(Group(kind.hardware, kind.size) for kind in kinds))
    work = Workload.of([r.arrival for r in jobs], [r.prompt for r in jobs], [r.output for r in jobs])
    kept = [r.ttft <= t and (r.output == 1 or r.mean_gap <= p) for r, (t, p) in zip(jobs, limits.tolist(), strict=True)]
    objectives = Objectives(limits[:, 0], limits[:, 1], np.zeros(len(jobs), dtype=np.int64), ("a",))
    bound = path_goodput_bound(work, fleet, objectives, tier_bound=mean_tpot_goodput_bound)
    assert sum(kept) <= bound.certificate["on_time"]


def test_hundreds_of_objectives_take_no_longer_than_a_few():
    """Claim: 300 requests with 300 objectives have a programme of at most 16 tiers."""
    one = Fleet.identical(Hardware("one", Affine(0.01, 1e-4, 1e-3, 1e-5), 10_000, 8), 2)
    rng = np.random.default_rng(0)
    work = Workload.of(np.arange(300) * 0.1, np.full(300, 10), np.full(300, 10))
    objectives = Objectives(rng.uniform(0.1, 1, 300), rng.uniform(0.01, 0.1, 300), np.zeros(300, dtype=int), ("a",))
    tiers = []

    def counted(given, fleets, **options):
        tiers.extend(given)
        return mean_tpot_goodput_bound(given, fleets, **options)

    path_goodput_bound(work, one, objectives, tier_bound=counted)
    assert len(tiers) <= 16
    assert sum(tier.rate_per_s for tier in tiers) * 29.9 <= 300
    assert max(tier.ttft_s for tier in tiers) >= objectives.ttft_s.max()
