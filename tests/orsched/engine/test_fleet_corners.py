"""Corners of fleets worked out by hand: lone instances, ties, drains and repairs, what a policy must not say."""

from dataclasses import replace

import numpy as np
import pytest
from laws import assert_same
from steady_fleets import STEADY, kinds, move_at_first_tick, one, routed

from orsched import (
    KEEP,
    REJECT,
    Assign,
    Fleet,
    Group,
    InstanceFault,
    Link,
    Migrate,
    RequestClass,
    Role,
    Routing,
    StagedCopy,
    Start,
    State,
    Stop,
    Workload,
    simulate,
)
from orsched.errors import InputError, PlanError
from orsched.service import Affine
from policies import ROUTERS
from policies.vllm_v1 import vllm_v1


def assert_as_token_by_token(run, *args, **options):
    """Epochs of one iteration give the same run."""
    assert_same(run, simulate(*args, epoch_limit=1, **options))


@pytest.mark.parametrize("size", [1, 2])
def test_all_that_waited_for_a_repair_go_together(size):
    """Claim: of three requests that the router keeps until the repair at 1.05 s none waits for another, and a fleet of
    one instance is no exception: the shorter ones end at 1.35 s, the one that restarts at 4.05 s."""
    work = Workload.of([0.0, 0.01, 0.02], [5] * 3, [30, 3, 3])
    policy = routed(lambda view, request: 0 if view.belongs(0) else KEEP)
    case = work, Fleet.identical(STEADY, size), policy
    run = simulate(*case, faults=[InstanceFault(0.05, 0, 1.0)], check=True)
    np.testing.assert_allclose(run.first_scheduled_s, [0.0, 1.05, 1.05])
    np.testing.assert_allclose(run.completion_s, [4.05, 1.35, 1.35])
    assert_as_token_by_token(run, *case, faults=[InstanceFault(0.05, 0, 1.0)])


@pytest.mark.parametrize("size", [1, 2])
def test_all_that_waited_for_a_tick_go_together(size):
    """Claim: what the router has kept until the tick at 0.55 s starts then, whatever the size of the fleet."""
    work = Workload.of([0.0, 0.01, 0.02], [5] * 3, [30, 3, 3])
    policy = routed(
        lambda view, request: KEEP if view.now_s < 0.5 else 0, control=lambda view: [], control_every_s=0.55
    )
    run = simulate(work, Fleet.identical(STEADY, size), policy, check=True)
    np.testing.assert_allclose(run.first_scheduled_s, 0.55)
    np.testing.assert_allclose(run.completion_s, [3.55, 0.85, 0.85])
    assert_as_token_by_token(run, work, Fleet.identical(STEADY, size), policy)


def test_prompts_of_a_lone_prefill_instance_wait_and_stay():
    """Claim: prompts done at 0.1, 0.4 and 0.7 s that the placer leaves where they are until 1.05 s, and lets stay then,
    end together after four more tokens, at 1.45 s."""
    policy = routed(
        lambda view, request: 0,
        place=lambda view, request: None if view.now_s < 0.9 else 0,
        control=lambda view: [],
        control_every_s=1.05,
    )
    fleet = Fleet((Group(STEADY, role="prefill"),))
    run = simulate(Workload.of([0.0, 0.3, 0.6], [5] * 3, [5] * 3), fleet, policy, check=True)
    np.testing.assert_allclose(run.first_token_s, [0.1, 0.4, 0.7])
    np.testing.assert_allclose(run.completion_s, 1.45)


@pytest.mark.parametrize(("outputs", "off_s"), [(101, 10.13), (13, 1.3)])
def test_an_instance_that_drains_waits_for_a_migration_on_its_way(outputs, off_s):
    """Claim: told to stop while a migration to it is on its way, an instance is off when that request has left: at its
    end, or with one that ends before it has been copied, when the migration is given up. The copy begins at 1.05 s with
    19 tokens and takes 0.19 s; the request stops at 1.3 s and goes on at 1.33 s, with 88 tokens to come."""

    def control(view):
        return [] if view.memo.setdefault("done", False) or view.memo.update(done=True) else [Migrate(0, 1), Stop(1)]

    fleet = Fleet((Group(STEADY, 2, link=Link(100.0)),), StagedCopy(1, 0))
    policy = routed(lambda view, request: 0, control=control, control_every_s=1.05)
    run = simulate(Workload.of([0.0, 0.0], [10, 10], [outputs, 120]), fleet, policy, check=True)
    assert run.completion_s[0] == pytest.approx(off_s)
    assert ("off", 1, off_s) in kinds(run)
    np.testing.assert_allclose(run.on_s, [12.0, off_s])


def test_time_on_is_from_the_first_arrival_to_the_last_event_of_a_request():
    """Claim: neither the time before the first arrival at 10 s counts, nor a start-up that still goes on at the end; a
    rejected request that arrives last is the end."""
    fleet = Fleet((Group(STEADY, 2, off=1, start_up_s=5.0),))
    run = simulate(one(at_s=10.0), fleet, routed(lambda view, request: Routing(0, (Start(1),))))
    np.testing.assert_allclose(run.on_s, 0.3)
    policy = routed(lambda view, request: REJECT if request else 0)
    run = simulate(Workload.of([10.0, 12.0], [5, 5], [3, 3]), Fleet.identical(STEADY, 2), policy)
    np.testing.assert_allclose(run.on_s, 2.0)


@pytest.mark.parametrize(("source", "target"), [(0, 1), (1, 0)])
def test_equal_instances_in_step(source, target):
    """Claim: told at 0.55 s to move without stages, the request is accepted when the iterations of both instances end,
    at 0.6 s; it stops an iteration later, at 0.7 s, whichever of the two the calendar takes first."""
    fleet = Fleet((Group(STEADY, 2),), StagedCopy(stages=0))
    policy = routed(lambda view, request: request, control=move_at_first_tick(source, target), control_every_s=0.55)
    work = Workload.of([0.0, 0.0], [10, 10], [40, 40])
    run = simulate(work, fleet, policy, check=True)
    assert kinds(run)[1] == ("migrated", source, 0.7)
    assert run.completion_s.max() <= 4.1 + 1e-9
    assert_as_token_by_token(run, work, fleet, policy)


def test_long_quiet_times_may_be_sampled():
    """Claim: 150,000 samples between two arrivals are no sign of a run that does not end."""
    work = Workload.of([0.0, 150.0], [5, 5], [2, 2])
    run = simulate(work, Fleet.identical(STEADY, 2), routed(ROUTERS["jsq"]), sample_every_s=0.001)
    assert len(run.log.samples.times_s) >= 150_000


def test_a_router_that_never_decides_is_an_error():
    """Claim: with a controller and samples that go on for ever the run ends all the same, with an error."""
    policy = routed(lambda view, request: KEEP, control=lambda view: [], control_every_s=0.5)
    with pytest.raises(PlanError, match="1 requests are unfinished: 1 with the router"):
        simulate(one(), Fleet.identical(STEADY, 2), policy, sample_every_s=0.5)


def test_the_default_router_waits_for_a_repair():
    """Claim: a policy without a router of its own serves on one instance that dies and is repaired at 2.05 s."""
    run = simulate(one(), Fleet.single(STEADY), vllm_v1(), faults=[InstanceFault(0.05, 0, 2.0)])
    assert run.completion_s[0] == pytest.approx(2.35)


@pytest.mark.parametrize(
    "orders",
    [
        (Migrate("a", 1),),
        (Migrate(0, "a"),),
        (Migrate(7, 1),),
        (Stop(1.5),),
        (Start("a"),),
        (Assign(1, tier=5),),
        (Assign(1, role="decode"),),
        None,
    ],
)
def test_orders_of_a_wrong_type_are_refused(orders):
    """Claim: a number that is none, a tier that is no text, a role that is none: an error that quotes the order."""
    policy = routed(lambda view, request: 0, control=lambda view: orders, control_every_s=0.05)
    with pytest.raises(InputError, match=r"policy ordered|control returned None"):
        simulate(one(outputs=30), Fleet.identical(STEADY, 2), policy)


@pytest.mark.parametrize("answer", [True, 9, "a", KEEP])
def test_places_of_a_wrong_type_are_refused(answer):
    """Claim: so is a placer's answer that is no number of an instance."""
    fleet = Fleet((Group(STEADY, role="prefill"), Group(STEADY, role="decode")))
    with pytest.raises(InputError, match="placer"):
        simulate(one(), fleet, routed(ROUTERS["jsq"], place=lambda view, request: answer))


def test_an_instance_that_serves_on_is_news_to_those_that_wait():
    """Claim: a request kept because its instance drains goes there when another one, at 0.25 s, has it serve on, and
    starts with the iteration that begins at 0.3 s."""

    def route(view, request, /):
        if request == 0:
            return 1
        if request == 2:
            return Routing(0, (Start(1),))
        if view.state(1) is State.SERVING and view.now_s > 0.2:
            return 1
        return Routing(None, (Stop(1),))

    classes = (RequestClass("a"), RequestClass("b"))
    work = Workload.of([0.0, 0.15, 0.25], [5] * 3, [60, 2, 2], class_id=[0, 0, 1], classes=classes)
    run = simulate(work, Fleet.identical(STEADY, 2), routed(route), check=True)
    assert run.first_scheduled_s[1] == pytest.approx(0.3)
    assert kinds(run) == [("stop", 1, 0.15), ("ready", 1, 0.25)]


def test_what_drained_is_off_after_its_repair():
    """Claim: told to stop at 0.5 s, dead from 1 to 1.5 s: nothing is left to drain, and it is not paid for again."""
    policy = routed(ROUTERS["jsq"], control=lambda view: [Stop(0)] if view.now_s < 0.6 else [], control_every_s=0.5)
    work = Workload.of([0.0, 0.0], [5, 5], [30, 60])
    run = simulate(work, Fleet.identical(STEADY, 2), policy, faults=[InstanceFault(1.0, 0, 0.5)], check=True)
    events = [("stop", 0.5), ("died", 1.0), ("restarted", 1.0), ("repaired", 1.5), ("off", 1.5)]
    assert kinds(run) == [(kind, 0, time_s) for kind, time_s in events]
    np.testing.assert_allclose(run.on_s, [1.0, 6.0])


def test_what_was_starting_starts_anew_after_its_repair():
    """Claim: a start-up of 5 s that dies after 1 s begins again at the repair, at 1.5 s, and is paid for from then."""
    fleet = Fleet((Group(STEADY, 2, off=1, start_up_s=5.0),))
    policy = routed(lambda view, request: 0 if request else Routing(0, (Start(1),)))
    work = Workload.of([0.0, 0.0], [5, 5], [30, 60])
    run = simulate(work, fleet, policy, faults=[InstanceFault(1.0, 1, 0.5)], check=True)
    events = [("start", 0.0), ("died", 1.0), ("repaired", 1.5), ("off", 1.5), ("start", 1.5), ("ready", 6.5)]
    assert kinds(run) == [(kind, 1, time_s) for kind, time_s in events]
    np.testing.assert_allclose(run.on_s, [6.0, 5.5])


def test_a_request_rejected_at_its_restart_has_no_times():
    """Claim: what an instance that has died had served of it counts for nothing."""
    policy = routed(lambda view, request: REJECT if view.now_s else 0)
    run = simulate(one(outputs=21), Fleet.identical(STEADY, 2), policy, faults=[InstanceFault(0.55, 0)], check=True)
    assert (run.rejected[0], run.restarts[0]) == (1, 1)
    for times_s in (run.first_scheduled_s, run.first_token_s, run.completion_s):
        assert np.isnan(times_s).all()


def test_an_iteration_that_is_lost_was_work():
    """Claim: an instance that dies 0.9 s into an iteration of 1 s was busy for 0.9 s, and cached nothing."""
    slow = replace(STEADY, service=Affine(1.0, 0, 0, 0))
    run = simulate(one(), Fleet.identical(slow, 2), routed(ROUTERS["jsq"]), faults=[InstanceFault(0.9, 0)])
    np.testing.assert_allclose(run.busy_s, [0.9, 3.0])
    np.testing.assert_allclose(run.on_s, [0.9, 3.9])
    assert run.kv_token_s[0] == 0


def test_those_that_come_with_their_cache_are_among_the_arrived():
    """Claim: a batcher sees each request once among those that have come: the first moves to the second instance, the
    other one never leaves; a prompt that stays on a prefill instance comes into sight there again."""
    seen: dict[int, list[int]] = {}

    def batch(view):
        seen[id(view)] = list(view.arrived)
        return vllm_v1().batch(view)

    policy = routed(lambda view, request: request, batch=batch, control=move_at_first_tick(0, 1), control_every_s=0.55)
    simulate(Workload.of([0.0, 0.0], [10, 10], [20, 30]), Fleet.identical(STEADY, 2), policy, check=True)
    assert list(seen.values()) == [[0], [1, 0]]
    seen.clear()
    policy = routed(lambda view, request: 0, batch=batch, place=lambda view, request: 0)
    simulate(one(), Fleet((Group(STEADY, role="prefill"),)), policy, check=True)
    assert list(seen.values()) == [[0, 0]]


@pytest.mark.parametrize(
    ("role", "order", "message"),
    [
        ("prefill", (), "role 'prefill'"),
        ("mixed", (Migrate(0, 1),), "Migrate"),
        ("mixed", (Assign(1, role=Role.DECODE),), "Assign"),
    ],
)
def test_a_batcher_without_a_meaning_for_transfers_is_refused(role, order, message):
    """Claim: fleets and orders that move requests with their KV cache need a policy that takes them, and the error says
    what to do."""
    policy = routed(lambda view, request: 0, takes_transfers=False, control=lambda view: order, control_every_s=0.15)
    with pytest.raises(InputError, match=rf"{message}.*another batcher"):
        simulate(one(outputs=30), Fleet((Group(STEADY, 2, role),)), policy)
