"""Fleets worked out by hand: iterations of a tenth of a second, links of a hundred bytes per second."""

from dataclasses import replace

import numpy as np
import pytest
from steady_fleets import LINK, STEADY, kinds, move_at_first_tick, one, routed

from orsched import (
    KEEP,
    REJECT,
    Assign,
    Fleet,
    Group,
    InstanceFault,
    Link,
    LinkFault,
    Migrate,
    RequestClass,
    Role,
    Routing,
    StagedCopy,
    Start,
    StartUpFault,
    State,
    Stop,
    Workload,
    simulate,
)
from orsched.errors import InputError, PlanError
from policies import ROUTERS


def test_hand_off_of_a_finished_prompt():
    """Claim: the first token comes at 0.1 s; 10 tokens take 0.5 + 10 / 100 s to the other instance; two more iterations
    end at 0.9 s. It ran on the decode instance last, and a hand-off is no migration."""
    fleet = Fleet((Group(STEADY, role="prefill", link=LINK), Group(STEADY, role="decode", link=LINK)))
    run = simulate(one(), fleet, routed(ROUTERS["jsq"]), check=True)
    assert run.first_token_s[0] == pytest.approx(0.1)
    assert run.completion_s[0] == pytest.approx(0.9)
    assert (run.instance[0], run.migrations[0]) == (1, 0)
    np.testing.assert_allclose(run.busy_s, [0.1, 0.2])
    np.testing.assert_allclose(run.kv_token_s, [0.1 * 10 + 0.6 * 10, 0.1 * 11 + 0.1 * 12])


def test_a_prompt_of_one_token_out_is_done_where_it_began():
    """Claim: a request of one output token never leaves the prefill instance."""
    fleet = Fleet((Group(STEADY, role="prefill", link=LINK), Group(STEADY, role="decode", link=LINK)))
    run = simulate(one(outputs=1), fleet, routed(ROUTERS["jsq"]))
    assert run.completion_s[0] == pytest.approx(0.1)
    assert run.instance[0] == 0


def test_a_placer_may_let_it_stay():
    """Claim: placed on its own instance it goes on at once, also on one of role prefill."""
    fleet = Fleet((Group(STEADY, role="prefill", link=LINK), Group(STEADY, role="decode", link=LINK)))
    run = simulate(one(), fleet, routed(ROUTERS["jsq"], place=lambda view, request: view.instance_of(request)))
    assert run.completion_s[0] == pytest.approx(0.3)
    assert run.instance[0] == 0


def test_a_prompt_waits_for_memory_at_its_target():
    """Claim: the second prompt is sent only once the first request has left the decode instance, with room for one;
    until then its KV cache stays where it is."""
    small = replace(STEADY, kv_capacity_tokens=20)
    fleet = Fleet((Group(STEADY, role="prefill"), Group(small, role="decode")))
    work = Workload.of([0.0, 0.0], [10, 10], [5, 5])
    run = simulate(work, fleet, routed(ROUTERS["jsq"]), check=True)
    np.testing.assert_allclose(run.first_token_s, 0.1)
    np.testing.assert_allclose(run.completion_s, [0.5, 0.9])


def test_staged_copy():
    """Claim: told to move at 1.05 s with 19 tokens cached, the copy of these ends at 1.24 s, when 21 are cached: 2 are
    few enough. It stops at 1.3 s with 22, and goes on 0.05 s of downtime and 3 bytes later: 1.38 s. It had emitted 13
    of 101 tokens, the others take 8.8 s."""
    copy = StagedCopy(stages=2, last_stage_tokens=2, downtime_s=0.05)
    fleet = Fleet((Group(STEADY, 2, link=Link(100.0)),), copy)
    policy = routed(lambda view, request: 0, control=move_at_first_tick(), control_every_s=1.05)
    run = simulate(one(outputs=101), fleet, policy, check=True, token_gaps=True)
    assert run.completion_s[0] == pytest.approx(1.38 + 8.8)
    assert (run.instance[0], run.migrations[0]) == (1, 1)
    assert kinds(run) == [("migration-started", 0, 1.05), ("migrated", 0, 1.38)]
    assert run.token_gaps.quantile_s(1.0) == pytest.approx(0.18)


def test_copy_without_stages_stops_at_once():
    """Claim: with no stage it stops when the iteration in flight ends, 1.1 s, and all of its 20 tokens are copied."""
    fleet = Fleet((Group(STEADY, 2, link=Link(100.0)),), StagedCopy(stages=0))
    policy = routed(lambda view, request: 0, control=move_at_first_tick(), control_every_s=1.05)
    run = simulate(one(outputs=101), fleet, policy, check=True)
    assert run.completion_s[0] == pytest.approx(1.1 + 0.2 + (101 - 11) * 0.1)


def test_a_migration_is_given_up_when_the_request_ends_first():
    """Claim: a copy that would take longer than the request has left changes nothing but the log."""
    fleet = Fleet((Group(STEADY, 2, link=Link(1.0)),))
    policy = routed(lambda view, request: 0, control=move_at_first_tick(), control_every_s=1.05)
    run = simulate(one(outputs=15), fleet, policy, check=True)
    assert run.completion_s[0] == pytest.approx(1.5)
    assert [kind for kind, _, _ in kinds(run)] == ["migration-started", "migration-given-up"]
    assert (run.instance[0], run.migrations[0]) == (0, 0)


def start_second(view, request, /):
    if request == 0:
        return 0
    return 1 if view.state(1) is State.SERVING else Routing(None, (Start(1),))


def test_start_up():
    """Claim: ordered at 1 s, an instance that needs 2 s serves at 3 s, when the router is asked again; it is on from
    the order to the end, and the other one all the time."""
    fleet = Fleet((Group(STEADY, 2, off=1, start_up_s=2.0),))
    run = simulate(Workload.of([0.0, 1.0], [5, 5], [1, 2]), fleet, routed(start_second))
    np.testing.assert_allclose(run.completion_s, [0.1, 3.2])
    np.testing.assert_allclose(run.on_s, [3.2, 2.2])
    assert kinds(run) == [("start", 1, 1.0), ("ready", 1, 3.0)]


def test_start_up_fails():
    """Claim: a start that fails leaves the instance off after its start-up time; the router, asked again, starts it
    once more, which succeeds at 5 s; failed attempts are paid for."""
    fleet = Fleet((Group(STEADY, 2, off=1, start_up_s=2.0),))
    work = Workload.of([0.0, 1.0], [5, 5], [1, 2])
    run = simulate(work, fleet, routed(start_second), faults=[StartUpFault(0.0, 1)])
    assert [kind for kind, _, _ in kinds(run)] == ["start", "start-failed", "start", "ready"]
    assert run.completion_s[1] == pytest.approx(5.2)
    assert run.on_s[1] == pytest.approx(4.2)


def test_draining():
    """Claim: an instance told to stop finishes what it has, takes no more, and is off when its last request leaves."""

    def route(view, request, /):
        return Routing(1, (Stop(0),)) if request == 1 else request

    fleet = Fleet((Group(STEADY, 3),))
    run = simulate(Workload.of([0.0, 0.15, 0.2], [5, 5, 5], [6, 1, 30]), fleet, routed(route))
    assert kinds(run) == [("stop", 0, 0.15), ("off", 0, 0.6)]
    np.testing.assert_allclose(run.on_s, [0.6, 3.2, 3.2])


def test_rejection():
    """Claim: a rejected request has no times, is counted, and the others are served."""
    fleet = Fleet.identical(STEADY, 2)
    policy = routed(lambda view, request: REJECT if request == 1 else 0)
    run = simulate(Workload.of([0.0, 0.0, 0.5], [5, 5, 5], [2, 2, 2]), fleet, policy)
    np.testing.assert_array_equal(run.rejected, [0, 1, 0])
    np.testing.assert_allclose(run.completion_s, [0.2, np.nan, 0.7])


def test_pending_requests_are_first_come_first_served_within_their_class():
    """Claim: a router that admits one request at a time serves a class in order of arrival; a class whose first request
    it takes is not held up by another one."""

    def route(view, request, /):
        if view.label(request) == 1:
            return 1
        return KEEP if view.in_system(0) else 0

    work = Workload.of(
        [0.0, 0.01, 0.02, 0.03],
        [5] * 4,
        [3] * 4,
        class_id=[0, 0, 1, 0],
        classes=(RequestClass("a"), RequestClass("b")),
    )
    run = simulate(work, Fleet.identical(STEADY, 2), routed(route))
    np.testing.assert_allclose(run.completion_s, [0.3, 0.6, 0.32, 0.9])


def test_death_and_restart():
    """Claim: at 0.55 s the instance dies with 5 tokens emitted; the other one recomputes 15 tokens and emits the sixth
    at 0.65 s, and the last 15 by 2.15 s. The iteration in flight at the death is lost."""
    fleet = Fleet.identical(STEADY, 2)
    run = simulate(one(outputs=21), fleet, routed(ROUTERS["jsq"]), faults=[InstanceFault(0.55, 0)], check=True)
    assert run.first_token_s[0] == pytest.approx(0.1)
    assert run.completion_s[0] == pytest.approx(2.15)
    assert (run.restarts[0], run.instance[0]) == (1, 1)
    assert kinds(run) == [("died", 0, 0.55), ("restarted", 0, 0.55)]
    assert run.on_s[0] == pytest.approx(0.55)


def test_a_repaired_instance_serves_those_that_waited_for_one():
    """Claim: with no other instance a request waits for the repair at 2.05 s."""
    run = simulate(one(), Fleet.single(STEADY), routed(ROUTERS["jsq"]), faults=[InstanceFault(0.05, 0, 2.0)])
    assert run.completion_s[0] == pytest.approx(2.35)


def test_nobody_left_is_an_error():
    """Claim: when no instance is left the run ends with an error that says where the requests are and what to do."""
    said = r"1 requests never finished: 1 with the router, .*serves \(1 dead\): let a fault end \(for_s\)$"
    with pytest.raises(PlanError, match=said):
        simulate(one(), Fleet.single(STEADY), routed(ROUTERS["jsq"]), faults=[InstanceFault(0.05, 0)])


def test_nobody_on_is_an_error():
    """Claim: when every instance is off, or dead, and nobody starts one, the message names both and what to change."""
    fleet = Fleet((Group(STEADY, 3, off=2), Group(STEADY, role="decode", link=LINK)))
    said = r"serves \(1 dead, 2 off\): let a fault end \(for_s\); have fewer off at first or a policy that starts them$"
    with pytest.raises(PlanError, match=said):
        simulate(one(), fleet, routed(ROUTERS["jsq"]), faults=[InstanceFault(0.05, 0)])
    idle = routed(ROUTERS["jsq"], control=lambda view: (), control_every_s=1.0)
    with pytest.raises(PlanError, match=r"nothing has happened .*serves \(1 off\): have fewer off"):
        simulate(one(), Fleet((Group(STEADY, off=1),)), idle)


def test_the_target_dies_during_the_hand_off():
    """Claim: the KV cache is still at its source, so that the request is placed anew and not restarted."""
    fleet = Fleet((Group(STEADY, role="prefill", link=LINK), Group(STEADY, 2, "decode", link=LINK)))
    run = simulate(one(), fleet, routed(ROUTERS["jsq"]), faults=[InstanceFault(0.3, 1)], check=True)
    assert (run.restarts[0], run.instance[0]) == (0, 2)
    assert run.completion_s[0] == pytest.approx(0.3 + 0.6 + 0.2)


def test_the_source_dies_during_the_hand_off():
    """Claim: the request has lost its KV cache and starts again on the other prefill instance, with 11 tokens."""
    fleet = Fleet((Group(STEADY, 2, role="prefill", link=LINK), Group(STEADY, role="decode", link=LINK)))
    run = simulate(one(), fleet, routed(ROUTERS["jsq"]), faults=[InstanceFault(0.3, 0)], check=True)
    assert run.restarts[0] == 1
    assert run.completion_s[0] == pytest.approx(0.3 + 0.1 + (0.5 + 0.11) + 0.1)


def test_a_dropped_link_delays_the_hand_off():
    """Claim: dropped from 0.65 to 1.65 s, when half of the bytes are through, the transfer ends a second later."""
    fleet = Fleet((Group(STEADY, role="prefill", link=LINK), Group(STEADY, role="decode", link=LINK)))
    run = simulate(one(), fleet, routed(ROUTERS["jsq"]), faults=[LinkFault(0.65, 0, 1.0)])
    assert run.completion_s[0] == pytest.approx(1.9)
    assert [event.detail for event in run.log.events] == ["0", "1"]


def test_roles_change():
    """Claim: an instance that becomes mixed keeps its finished prompts from then on."""

    def route(view, request, /):
        return Routing(0, (Assign(0, role=Role.MIXED),)) if request else 0

    fleet = Fleet((Group(STEADY, role="prefill"), Group(STEADY, role="decode")))
    run = simulate(Workload.of([0.0, 1.0], [5, 5], [3, 3]), fleet, routed(route))
    np.testing.assert_array_equal(run.instance, [1, 0])


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (lambda view, request: 2, "instance 2 of 2"),
        (lambda view, request: "a", "give the number"),
        (lambda view, request: 1, "only decodes"),
        (lambda view, request: Routing(0, (Start(7),)), "there are 2 instances"),
        (lambda view, request: Routing(0, ("go",)), "must be one of Migrate"),
        (lambda view, request: Routing(0, (Migrate(0, 1),)), "not decoding"),
    ],
)
def test_bad_decisions_are_refused(route, message):
    """Claim: what a policy must not decide raises an error that says what it did."""
    fleet = Fleet((Group(STEADY, role="prefill"), Group(STEADY, role="decode")))
    with pytest.raises((InputError, PlanError), match=message):
        simulate(one(), fleet, routed(route))


def test_a_transfer_needs_to_know_the_bytes_of_a_token():
    """Claim: hardware that does not say how large its KV cache is cannot be sent over a link of finite bandwidth."""
    unknown = replace(STEADY, kv_bytes_per_token=None)
    fleet = Fleet((Group(unknown, role="prefill", link=LINK), Group(unknown, role="decode", link=LINK)))
    with pytest.raises(InputError, match="kv_bytes_per_token"):
        simulate(one(), fleet, routed(ROUTERS["jsq"]))


def test_faults_of_one_instance_overlap():
    """Claim: an instance that breaks again while it is dead serves only when both faults are repaired, at 3.1 s."""
    faults = [InstanceFault(0.05, 0, 1.0), InstanceFault(0.1, 0, 3.0)]
    run = simulate(one(), Fleet.single(STEADY), routed(ROUTERS["jsq"]), faults=faults)
    assert run.completion_s[0] == pytest.approx(3.4)
