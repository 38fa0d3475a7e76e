"""Fleets of unequal instances: no policy on them beats the bounds of the identical ones that stand for them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from random_fleets import WildOrders, wild_fleet
from schedules import best_value, instances, random_schedule, service_models

from fluid import bounds, fast_bounds, subject
from fluid.pathwise.alike import alike
from fluid.pathwise.least_time import MOST_MINORANTS, LeastTime
from orsched import SLO, Fleet, Group, Hardware, Workload, hardware, measure, simulate
from orsched.bound import best_bound
from orsched.errors import InputError, PlanError
from orsched.fitting import usable_tokens
from orsched.metrics import comparable
from orsched.service import Affine, Batch, Hinged
from policies import ROUTERS
from policies.fleet_systems import fleet_system
from policies.registry import RECIPES

BATCHERS = ("vllm-v1", "vllm-v0", "sarathi", "srpt", "orca")
SYSTEMS = ("routed", "distserve", "splitwise", "llumnix")
OBJECTIVE = SLO(0.5, 0.03)


@st.composite
def quick_models(draw):
    """Iterations of about 10 ms, so that fleets whose instances start and stop are done after a few hundred orders."""
    terms = [draw(st.sampled_from([0.0, unit, 10 * unit])) for unit in (1e-5, 1e-4, 1e-6)]
    base = draw(st.sampled_from([0.005, 0.01, 0.03]))
    if draw(st.booleans()):
        return Affine(base, *terms)
    hinge = draw(st.sampled_from([0.0, 8.0, 50.0]))
    return Hinged(base, *terms, hinge, *[draw(st.sampled_from([0.0, 1e-5, 1e-4])) for _ in range(4)])


def unequal(fleet, draw):
    """The fleet with a service model of its own for each kind of hardware."""
    models = {}
    groups = []
    for group in fleet.groups:
        name = group.hardware.name
        if name not in models:
            models[name] = draw(quick_models())
        groups.append(replace(group, hardware=replace(group.hardware, service=models[name])))
    return Fleet(tuple(groups), fleet.migration)


@st.composite
def served(draw):
    """A random workload on a random fleet of unequal hardware, with roles and links, and who serves it."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng([seed, 5])
    n = int(rng.integers(5, 40))
    work = Workload.of(rng.exponential(0.1, n).cumsum(), rng.integers(1, 60, n), rng.integers(1, 40, n))
    name = draw(st.sampled_from(BATCHERS + SYSTEMS))
    transfers = name not in BATCHERS or RECIPES[name].build(work, Fleet.single(hardware("reference"))).takes_transfers
    fleet = unequal(wild_fleet(rng, int((work.input_tokens + work.output_tokens).max()), transfers), draw)
    try:
        if name in BATCHERS:
            policy = RECIPES[name].build(work, fleet).routed_by(ROUTERS["jsq"])
            policy = replace(policy, control=WildOrders(seed, moves=transfers, scales=0.2), control_every_s=0.3)
        else:
            fleet = Fleet(tuple(replace(group, off=0) for group in fleet.groups), fleet.migration)
            policy = fleet_system(name).build(work, fleet, fleet_system(name).settings())
    except InputError:
        policy = None
    return work, fleet, policy


def assert_unbeaten(work, fleet, values):
    """No value is better than a bound on it."""
    found = bounds(work, fleet, OBJECTIVE)
    assert {bound.subject for bound in found} == {subject(work, fleet)}
    for bound in found:
        if bound.metric in values and comparable(bound.metric, values):
            value = values[bound.metric]
            slack = 1e-9 * max(abs(value), 1.0)
            better = value < bound.value - slack if bound.sense == "lower" else value > bound.value + slack
            assert not better, (bound.name, bound.metric, bound.value, value)


def assert_run_unbeaten(case):
    work, fleet, policy = case
    if policy is None:
        return
    try:
        run = simulate(work, fleet, policy)
    except PlanError:  # random orders may leave nobody to decode
        return
    event("served")
    assert_unbeaten(work, fleet, measure(run, OBJECTIVE))


@settings(max_examples=50, deadline=None)
@given(served())
def test_no_policy_on_unequal_hardware_beats_a_bound(case):
    """Claim: whoever serves on unequal hardware, with hand-offs, migrations, starts and stops, beats no bound."""
    assert_run_unbeaten(case)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(served())
def test_many_policies_on_unequal_hardware_beat_no_bound(case):
    """Claim: the same, many times over."""
    assert_run_unbeaten(case)


@settings(max_examples=40, deadline=None)
@given(instances(most=3, longest=2, sizes=(1,), kinds=2), st.integers(0, 2**32))
def test_the_best_schedule_is_above_the_bounds(case, seed):
    """Claim: on tiny fleets of two kinds the best of all schedules does not beat the bounds; random ones neither."""
    work, fleet = case
    found, n = bounds(work, fleet), len(work)
    several = int((work.output_tokens > 1).sum())
    for objective, count in {"latency": n, "ttft": n, "tpot": several}.items():
        if count:
            best = best_bound(found, f"{objective}_mean_s").value
            assert best <= best_value(work, fleet, objective) / count * (1 + 1e-9)
    makespan = best_value(work, fleet, "makespan") - work.arrival_s[0]
    assert n / makespan <= best_bound(found, "throughput_requests_per_s").value
    first, done = random_schedule(work, fleet, seed)
    assert best_bound(found, "latency_mean_s").value <= (done - work.arrival_s).mean()
    assert best_bound(found, "ttft_p99_s").value <= (first - work.arrival_s).max()


whole = st.integers(0, 10_000)
batches = st.builds(Batch, whole, st.floats(0, 1e8), whole, st.integers(0, 300), whole, st.just(0))


@settings(max_examples=300)
@given(st.lists(service_models(), min_size=2, max_size=4), batches)
def test_the_least_time_is_below_all(models, batch):
    """Claim: common lower bounds are below every service model, few, and none is below another one everywhere."""
    least = LeastTime.of(models)
    time = min(model.iteration_s(batch) for model in models)
    assert least.iteration_s(batch) <= time * (1 + 1e-12)
    assert 1 <= len(least.affine_minorants()) <= MOST_MINORANTS
    decodes = Batch(num_seqs=batch.num_seqs, kv_tokens=batch.kv_tokens)
    curve = least.decode_curve(batch.num_seqs)
    assert curve(batch.kv_tokens) == pytest.approx(least.iteration_s(decodes), rel=1e-12)


def test_as_good_as_the_best_in_every_respect():
    """Claim: memory, seats and blocks are those that no kind exceeds, and one kind stays what it is."""
    large = Hardware("large", Affine(0.02, 1e-4, 1e-3, 1e-6), 1_007, 64, 16)
    quick = Hardware("quick", Affine(0.01, 2e-4, 1e-3, 2e-6), 500, 128, 24, keeps_preempted_kv=True)
    mixed = Fleet((Group(large, 2, "prefill"), Group(quick, 3, "decode")))
    same = alike(mixed)
    hw = same.hardware
    assert (same.size, hw.max_num_seqs, hw.block_tokens, hw.keeps_preempted_kv) == (5, 128, 8, True)
    assert usable_tokens(hw) == hw.kv_capacity_tokens == 992
    assert hw.service.affine_minorants()[0].base_s == 0.01
    split = Fleet((Group(large, 2, "prefill"), Group(large, 3, "decode")))
    assert alike(split) is split


def test_a_slower_instance_more_is_worth_an_instance():
    """Claim: two kinds that are equal but for their name have the very bounds of so many identical instances."""
    gpu = hardware("llama2-7b/a100-80g")
    rng = np.random.default_rng(0)
    work = Workload.of(rng.exponential(0.1, 300).cumsum(), rng.integers(20, 800, 300), rng.integers(5, 200, 300))
    renamed = Fleet((Group(gpu, 1), Group(replace(gpu, name="other"), 1)))
    for compute in (bounds, fast_bounds):
        one, other = compute(work, Fleet.identical(gpu, 2), OBJECTIVE), compute(work, renamed, OBJECTIVE)
        assert [(b.name, b.metric) for b in one] == [(b.name, b.metric) for b in other]
        assert [b.value for b in one] == pytest.approx([b.value for b in other], rel=1e-9)
        assert {b.subject for b in one}.isdisjoint(b.subject for b in other)


@settings(max_examples=50)
@given(st.lists(service_models(), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_the_kinds_does_not_matter(models, random):
    """Claim: the common lower bounds of several models are the same in whatever order they are given."""
    shuffled = list(models)
    random.shuffle(shuffled)
    assert LeastTime.of(shuffled) == LeastTime.of(models)


def test_a_kind_is_what_decides_times_and_limits():
    """Claim: names, notes, costs and prefixes make no other kind, limits do; prefixes kept anywhere are told."""
    one = Hardware("one", Affine(0.02, 1e-4, 1e-3, 1e-6), 1_000, 64, 16, keeps_preempted_kv=True)
    other = replace(one, name="other", notes="n", cost=3.0, keeps_prefixes=True)
    fleet = Fleet((Group(one, 2), Group(other, 3)))
    (kind,) = fleet.by_hardware()
    assert (kind.size, kind.hardware) == (5, replace(one, keeps_prefixes=True))
    assert fleet.hardware == kind.hardware
    for change in ({"kv_capacity_tokens": 999}, {"max_num_seqs": 63}, {"service": Affine(0.01, 1e-4, 1e-3, 1e-6)}):
        assert len(Fleet((Group(one), Group(replace(one, **change)))).by_hardware()) == 2
