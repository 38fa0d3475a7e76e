"""Llumnix: freeness, dispatch, migration passes and scaling."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from random_fleets import random_faults, random_fleet

from orsched import Fleet, Group, Hardware, Link, Migrate, Role, StagedCopy, Start, State, Stop, Workload, simulate
from orsched.errors import InputError, UnknownNameError
from orsched.service import Affine
from policies.llumnix import LlumnixSettings, llumnix
from policies.parts.freeness import RemainingSteps, Spare, VirtualUsage, first_demand_of_all
from policies.parts.rebalancing import Rebalancing, ShortestFirst, narrows_gap


def gpu(capacity, seqs=16, block=1):
    return Hardware("small", Affine(0.01, 1e-4, 1e-3, 0.0), capacity, seqs, block, kv_bytes_per_token=1000.0)


def look(work, fleet, seen_by, at_s, batcher="vllm-v0"):
    """What `seen_by(view)` says at a tick."""
    policy, found = llumnix(work, fleet, LlumnixSettings(batcher, migrate=False)), []

    def control(view):
        if view.now_s == pytest.approx(at_s):
            found.append(seen_by(view))
        return ()

    simulate(work, fleet, replace(policy, control=control, control_every_s=at_s), check=True)
    return found[0]


def test_freeness_of_two_that_run_and_two_that_wait():
    """Claim: (M - sum V) / B with blocks held, the first waiting one's demand, and B counting it."""
    # 2 seats: requests 0 and 1 run, 2 and 3 wait. At 1 s the iteration that is in flight has taken its blocks.
    work = Workload.of([0.0] * 4, [50, 30, 40, 20], [500] * 4)
    fleet = Fleet.identical(gpu(2000, seqs=2))

    def both(view):
        held = view.capacity_blocks(0) - view.unused_blocks(0)
        assert held == view.kv_tokens(0) + 2
        return [
            metric(view, 0) for metric in (VirtualUsage(), RemainingSteps(), RemainingSteps(first_demand_of_all))
        ], held

    (virtual, blocks, defrag), held = look(work, fleet, both, 1.0)
    assert virtual == (2000 - held - 40, 3)
    assert blocks == (2000 - held - 60, 4)
    assert defrag == (2000 - held - 40, 4)


def test_headroom_counts_once_for_each_priority_that_runs():
    """Claim: two running requests of a class with headroom 300 take it once; a class without none."""
    work = replace(Workload.of([0.0] * 3, [50, 30, 40], [500] * 3), class_id=np.array([1, 1, 0]), classes=CLASSES)
    fleet = Fleet.identical(gpu(2000))

    def both(view):
        return VirtualUsage()(view, 0), VirtualUsage((0.0, 300.0))(view, 0)

    plain, with_headroom = look(work, fleet, both, 1.0)
    assert plain.tokens - with_headroom.tokens == 300
    assert plain.requests == with_headroom.requests == 3


CLASSES = Workload.of([0.0], [1], [1]).classes * 2


def test_an_empty_instance_is_infinitely_free_and_a_draining_one_never():
    """Claim: the two ends of freeness; between them it is tokens per request."""
    assert Spare(10, 0).freeness == math.inf
    assert Spare(-10, 0).freeness == -math.inf
    assert Spare(90, 3).after(30, -1).freeness == 30


def test_dispatch_to_the_freest():
    """Claim: a long prompt makes its instance less free, and the next two go elsewhere."""
    work = Workload.of([0.0, 0.3, 0.6], [900, 100, 100], [100] * 3)
    fleet = Fleet.identical(gpu(1000), 2)
    run = simulate(work, fleet, llumnix(work, fleet, LlumnixSettings(migrate=False)))
    assert run.instance.tolist() == [0, 1, 1]


def test_the_shortest_of_the_lowest_priority_moves():
    """Claim: headroom first, then context, then number."""
    work = replace(
        Workload.of([0.0] * 4, [50, 20, 40, 30], [500] * 4), class_id=np.array([0, 1, 0, 0]), classes=CLASSES
    )
    fleet = Fleet.identical(gpu(2000))
    assert look(work, fleet, lambda view: ShortestFirst((0.0, 9.0))(view, view.decoding(0)), 1.0) == 3
    assert look(work, fleet, lambda view: ShortestFirst()(view, view.decoding(0)), 1.0) == 1


def test_balanced_pairs_narrow_the_gap():
    """Claim: 0 < new gap < old gap, and the target stays a target."""
    crowded, free = Spare(100, 10), Spare(1000, 10)
    assert narrows_gap(crowded, free, 100, 48)
    assert not narrows_gap(crowded, free, 600, 20), "the gap turns over"
    assert not narrows_gap(crowded, free, 500, 48), "the target is no target any more"


def test_a_crowded_instance_sends_its_shortest_to_the_freest():
    """Claim: the pass moves one request, which goes on elsewhere while the others stay."""
    work = Workload.of([0.0, 0.01, 0.02], [300, 500, 100], [100] * 3)
    fleet = Fleet((Group(gpu(1100), 2, link=Link(1e6)),))
    policy = llumnix(work, fleet, LlumnixSettings(out_below=48, in_above=48, every_s=0.5))
    run = simulate(work, fleet, replace(policy, route=lambda view, request: 0), check=True)
    moved = [event for event in run.log.events if event.kind == "migrated"]
    assert [event.request for event in moved][:1] == [2]
    assert run.migrations.tolist() == [0, 0, 1]
    assert run.instance.tolist() == [0, 0, 1]


@given(st.integers(0, 10_000))
def test_migrations_cross_the_thresholds(seed):
    """Claim: no request moves between instances on the same side, nobody takes part twice, sources send their own."""
    work, fleet, settings, faults = random_case(seed)
    settings = replace(settings, preempted_move=False)
    policy = llumnix(work, fleet, settings)
    (rebalancing, _) = policy.control.turns[0]
    assert isinstance(rebalancing, Rebalancing)

    def control(view):
        orders = policy.control(view)
        moves = [order for order in orders if isinstance(order, Migrate)]
        for request, target in moves:
            source = view.instance_of(request)
            assert rebalancing.metric(view, source).freeness < settings.out_below
            assert rebalancing.metric(view, target).freeness > settings.in_above
            assert view.state(target) is State.SERVING
        ends = [end for request, target in moves for end in (view.instance_of(request), target)]
        assert len(set(ends)) == len(ends)
        return orders

    simulate(work, fleet, replace(policy, control=control), faults=faults, check=True)


@given(st.integers(0, 10_000))
def test_exact_and_nothing_is_lost(seed):
    """Claim: everybody completes, memory never overflows, and epochs of length one give the same run."""
    work, fleet, settings, faults = random_case(seed)
    policy = llumnix(work, fleet, settings)
    run = simulate(work, fleet, policy, faults=faults, check=True)
    assert np.isfinite(run.completion_s).all()
    assert_same(run, simulate(work, fleet, policy, faults=faults, epoch_limit=1))


def test_a_draining_instance_sends_its_requests_away():
    """Claim: it is a source whatever it has, so that it is off long before they end."""
    work = Workload.of([0.0, 0.0, 0.5], [50, 50, 50], [400] * 3)
    fleet = Fleet((Group(gpu(100_000), 2, link=Link(1e6)),))
    policy = llumnix(work, fleet, LlumnixSettings(every_s=0.25))

    def control(view):
        return [Stop(1), *policy.control(view)] if view.now_s == 1.0 else policy.control(view)

    run = simulate(work, fleet, replace(policy, control=control), check=True)
    off = next(event.time_s for event in run.log.events if event.kind == "off")
    assert off < 2.0 < run.completion_s.min()
    assert run.instance.tolist() == [0, 0, 0]


def test_scaling_keeps_the_mean_freeness():
    """Claim: crowded at first, an instance starts; idle in the end, all but the least number stop."""
    work = Workload.of(np.concatenate([np.arange(40) * 0.05, [60.0]]), [100] * 41, [200] * 41)
    fleet = Fleet((Group(gpu(1000), 3, off=2, start_up_s=0.2),))
    settings = LlumnixSettings(scale=True, scale_every_s=1.0)
    run = simulate(work, fleet, llumnix(work, fleet, settings), check=True)
    kinds = [event.kind for event in run.log.events if event.kind in ("start", "stop")]
    assert kinds[:2] == ["start", "start"]
    assert kinds[-2:] == ["stop", "stop"]
    assert kinds.count("start") + 1 - kinds.count("stop") == 1


def test_scaling_gives_one_order_at_a_time():
    """Claim: nothing is ordered while an instance starts or drains, and never below the least number."""
    work = Workload.of(np.arange(60) * 0.05, [100] * 60, [200] * 60)
    fleet = Fleet((Group(gpu(1000), 4, off=2, start_up_s=0.7),))
    policy = llumnix(work, fleet, LlumnixSettings(scale=True, scale_every_s=0.1, least_instances=2))

    def control(view):
        orders = [order for order in policy.control(view) if isinstance(order, Start | Stop)]
        assert len(orders) <= 1
        if orders:
            assert not view.in_state(State.STARTING) + view.in_state(State.DRAINING)
        if any(isinstance(order, Stop) for order in orders):
            assert len(view.members()) > 2
        return orders

    simulate(work, fleet, replace(policy, control=control), check=True)


def test_downtime_does_not_grow_with_the_sequence():
    """Claim: a migrated request stands still for its last stage, whether it holds 500 or 8,000 tokens."""
    constant = replace(gpu(100_000), service=Affine(0.01, 1e-4, 0.0, 0.0))
    pauses = []
    for context in (500, 8000):
        work = Workload.of([0.0, 0.0], [context, 20_000], [400, 4000])
        fleet = Fleet((Group(constant, 2, link=Link(8e6)),), StagedCopy(3, 16, downtime_s=0.02))
        policy = replace(
            llumnix(work, fleet, LlumnixSettings(every_s=4.0)),
            route=lambda view, request: 0,
            control=lambda view: [Migrate(0, 1)] if view.now_s == 4.0 else [],
        )
        run = simulate(work, fleet, policy, check=True)
        assert run.migrations.tolist() == [1, 0]
        stays = simulate(work, fleet, replace(policy, control=None, control_every_s=None))
        pauses.append(run.completion_s[0] - stays.completion_s[0])
    # What the fleet says, up to an iteration until it joins, and the last stage. All at once, 8,000 tokens take 1 s.
    assert all(0.02 <= pause <= 0.02 + 0.01 + 16 * 1000.0 / 8e6 for pause in pauses)


def random_case(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    arrivals = rng.exponential(rng.choice([0.01, 0.05]), n).cumsum()
    work = Workload.of(arrivals, rng.integers(1, 60, n), rng.integers(1, 60, n))
    fleet = random_fleet(rng, int((work.input_tokens + work.output_tokens).max()))
    groups = tuple(
        replace(group, role=Role.MIXED, off=int(rng.integers(group.size)), start_up_s=float(rng.choice([0, 0.1])))
        for group in fleet.groups
    )
    fleet = Fleet(groups, fleet.migration)
    low = float(rng.integers(1, 20))
    settings = LlumnixSettings(
        batcher=str(rng.choice(["vllm-v0", "vllm-v1"])),
        metric=str(rng.choice(["virtual", "blocks", "blocks-defrag"])),
        headrooms_tokens=(float(rng.integers(0, 30)),),
        out_below=low,
        in_above=low + float(rng.integers(0, 10)),
        choose=str(rng.choice(["shortest", "last", "longest"])),
        pairing=str(rng.choice(["defrag", "balanced"])),
        preempted_move=bool(rng.integers(2)),
        every_s=float(rng.uniform(0.02, 0.3)),
        scale=bool(rng.integers(2)),
        scale_up_below=5.0,
        scale_down_above=20.0,
        scale_every_s=0.5,
    )
    faults = random_faults(rng, float(arrivals[-1]), fleet.size) if rng.integers(2) else ()
    return work, fleet, settings, faults


def test_other_fleets_are_refused():
    """Claim: it needs instances that do everything."""
    fleet = Fleet((Group(gpu(100), 1, "prefill"), Group(gpu(100), 1, "decode")))
    with pytest.raises(InputError, match="llumnix needs instances that do everything"):
        llumnix(Workload.of([0.0], [1], [1]), fleet, LlumnixSettings())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metric", "steps"),
        ("choose", "first"),
        ("pairing", "ends"),
        ("migrate", 1),
        ("every_s", 0.0),
        ("least_instances", 0),
        ("headrooms_tokens", (-1.0,)),
        ("out_below", 50.0),
        ("scale_up_below", 70.0),
    ],
)
def test_settings_name_the_field(field, value):
    """Claim: settings check themselves; thresholds are in order, so that no instance is on both sides."""
    with pytest.raises(InputError, match=field):
        LlumnixSettings(**{field: value})
    with pytest.raises(UnknownNameError, match="did you mean"):
        LlumnixSettings(batcher="vllm-v9")
