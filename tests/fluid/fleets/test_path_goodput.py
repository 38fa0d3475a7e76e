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
from orsched.scoring import deadlines, mean_tpot, score
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
        everyone = score(run, objectives, scoring)[-1]
        assert 0 < everyone.attainment < 1
        found = path_goodput_bound(path, fleet, objectives, tier_bound=tier_bound)
        assert everyone.attainment <= found.value
        assert everyone.met <= found.certificate["on_time"]
        if len(fleet.by_hardware()) == 1:
            share, rate = bounds(path, fleet, objectives)
            assert everyone.attainment <= share.value
            assert everyone.goodput_per_s <= rate.value
