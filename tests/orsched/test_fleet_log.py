"""The log of a fleet: counts over time from events."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.engine.state import State
from orsched.errors import InputError
from orsched.fleet_log import KINDS, PAID, STATE_AFTER, FleetEvent, FleetLog, FleetSamples
from orsched.group import Role
from orsched.step_function import StepFunction

SIZE = 4
EVENT = st.tuples(
    st.floats(0, 100), st.sampled_from([*STATE_AFTER, "tier", "role", "link", "restarted"]), st.integers(0, SIZE - 1)
)
DETAILS = {"tier": st.sampled_from(["", "fast", "slow"]), "role": st.sampled_from([str(role) for role in Role])}


@st.composite
def logs(draw):
    """Any order of events: the log counts what it is told."""
    events = []
    for time_s, kind, instance in sorted(draw(st.lists(EVENT, max_size=30))):
        detail = draw(DETAILS[kind]) if kind in DETAILS else ""
        events.append(FleetEvent(time_s, kind, instance, 3 if kind == "restarted" else None, detail))
    tiers = tuple(draw(st.sampled_from([None, "fast"])) for _ in range(SIZE))
    states = tuple(draw(st.sampled_from(list(State))) for _ in range(SIZE))
    return FleetLog(tuple(events), None, tiers, states, (Role.MIXED,) * SIZE)


def states_at(log, time_s):
    """The state, tier and role of every instance at a time, by playing the events one by one."""
    now = [list(life) for life in zip(log.initial_states, log.initial_tiers, log.initial_roles, strict=True)]
    for event in log.events:
        if event.time_s > time_s:
            break
        if event.kind in STATE_AFTER:
            now[event.instance][0] = STATE_AFTER[event.kind]
        elif event.kind == "tier":
            now[event.instance][1] = event.detail or None
        elif event.kind == "role":
            now[event.instance][2] = Role(event.detail)
    return now


@given(logs(), st.floats(0, 120))
def test_counts_over_time_are_those_of_the_events_played_one_by_one(log, time_s):
    """Claim: states, tiers, roles and paid instances at any time are what the events up to then leave."""
    now = states_at(log, time_s)
    states, tiers, roles = log.states_over_time(), log.instances_per_tier(), log.instances_per_role()
    for state in State:
        assert states[state].at(time_s) == sum(one[0] is state for one in now)
    serving = [one for one in now if one[0] is State.SERVING]
    for tier in (None, "fast", "slow"):
        found = tiers[tier].at(time_s) if tier in tiers else 0
        assert found == sum(one[1] == tier for one in serving)
    for role in Role:
        found = roles[role].at(time_s) if role in roles else 0
        assert found == sum(one[2] is role for one in serving)
    assert log.instances_on().at(time_s) == sum(one[0] in PAID for one in now)


@given(logs())
def test_every_instance_is_in_one_state_at_any_time(log):
    """Claim: the counts by state add up to the size of the fleet."""
    times = np.linspace(0, 120, 50)
    assert (sum(steps.at(times) for steps in log.states_over_time().values()) == SIZE).all()


def test_server_time_is_the_integral_of_what_is_on():
    """Claim: one instance that is off from 2 to 5 s and starts until 6 s costs 5 s of the first 8 s."""
    events = (FleetEvent(2, "off", 0), FleetEvent(5, "start", 0), FleetEvent(6, "ready", 0))
    log = FleetLog(events, None, (None,), (State.SERVING,), (Role.MIXED,))
    assert log.instances_on().integral(0, 8) == pytest.approx(5)
    assert log.states_over_time()[State.SERVING].integral(0, 8) == pytest.approx(4)
    assert (log.count("start"), log.times_s("ready").tolist()) == (1, [6.0])


def test_events_of_nobody_change_nobody():
    """Claim: a rejection has no instance."""
    log = FleetLog((FleetEvent(1, "rejected", None, 5),), None, (None,), (State.SERVING,), (Role.MIXED,))
    assert log.instances_on().at(2) == 1
    assert log.count("rejected") == 1


def test_what_is_no_log_is_refused():
    """Claim: unknown kinds, and initial tuples of different lengths, are named."""
    with pytest.raises(InputError, match="event 'exploded' at 1 s: must be one of start, ready"):
        FleetLog((FleetEvent(1, "exploded", 0),), None, (None,), (State.SERVING,), (Role.MIXED,))
    with pytest.raises(InputError, match="must be as many"):
        FleetLog((), None, (None, None), (State.SERVING,), (Role.MIXED,))
    assert len(set(KINDS)) == len(KINDS)


def test_the_gradient_is_the_load_by_rank():
    """Claim: every instant is sorted by itself, the most loaded first."""
    loads = np.array([[1, 3, 2], [5, 0, 9]])
    assert FleetSamples(np.array([0.0, 1.0]), loads, loads).gradient().tolist() == [[3, 2, 1], [9, 5, 0]]
    with pytest.raises(InputError, match="kv_tokens has shape"):
        FleetSamples(np.array([0.0, 1.0]), loads, loads[:1])


changes = st.lists(st.tuples(st.integers(0, 20).map(float), st.integers(-3, 3).map(float)), max_size=12).map(sorted)


@given(st.integers(0, 5), changes, st.floats(0, 25), st.floats(0, 25))
def test_step_functions_sum_their_changes(start, given_changes, one, other):
    """Claim: values are sums of the changes so far, integrals those of a fine Riemann sum at the same steps."""
    steps = StepFunction.of_changes(start, given_changes)
    assert (np.diff(steps.times_s) > 0).all()
    assert steps.at(one) == start + sum(by for time_s, by in given_changes if time_s <= one)
    low, high = min(one, other), max(one, other)
    cuts = np.unique([low, high, *[time_s for time_s, _ in given_changes if low < time_s < high]])
    exact = sum((b - a) * steps.at((a + b) / 2) for a, b in itertools.pairwise(cuts))
    assert steps.integral(low, high) == pytest.approx(float(exact), abs=1e-9)
    assert steps.integral(high, low) == 0


def test_changes_out_of_order_are_refused():
    """Claim: time does not run backwards, nor stop to be a number."""
    for times in ((2.0, 1.0), (1.0, np.nan), (1.0, np.inf)):
        with pytest.raises(InputError, match="must be in order of time"):
            StepFunction.of_changes(0, [(time_s, 1.0) for time_s in times])
