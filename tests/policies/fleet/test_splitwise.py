"""Splitwise: pools, promises of memory, and the mixed pool between them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from random_fleets import random_faults, random_fleet

from orsched import Fleet, Group, Hardware, Information, Role, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies.parts.mixed_pool import MIXED_TIER, Books
from policies.splitwise import SplitwiseSettings, splitwise


def gpu(capacity, seqs=64):
    return Hardware("small", Affine(0.01, 1e-4, 1e-3, 0.0), capacity, seqs, 1, kv_bytes_per_token=1000.0)


def apart(capacity=100_000, prompt=1, token=1, tier=None):
    hardware = gpu(capacity)
    return Fleet((Group(hardware, prompt, "prefill", tier=tier), Group(hardware, token, "decode", tier=tier)))


def changes(run, kind):
    return [(event.instance, event.detail) for event in run.log.events if event.kind == kind]


def test_prompts_go_where_fewest_tokens_are_pending():
    """Claim: after prompts of 100 and 10 tokens on two instances, the third goes to the second, the fourth too."""
    work = Workload.of([0.0] * 4, [100, 10, 20, 30], [5] * 4)
    fleet = apart(prompt=2)
    policy, sent = splitwise(work, fleet, SplitwiseSettings()), []

    def route(view, request):
        sent.append(policy.route(view, request))
        return sent[-1]

    run = simulate(work, fleet, replace(policy, route=route), check=True)
    assert [routing.instance for routing in sent] == [0, 1, 1, 1]
    assert not changes(run, "role")


def test_a_long_queue_converts_a_token_instance_and_it_returns():
    """Claim: pending 50 + 60 > 100 with a queue: the token instance prefills too, and returns at the next arrival."""
    work = Workload.of([0.0, 0.001, 0.002, 5.0], [40, 50, 60, 10], [2, 2, 2, 2])
    fleet = apart()
    run = simulate(work, fleet, splitwise(work, fleet, SplitwiseSettings(max_pending_tokens=100)), check=True)
    assert changes(run, "tier") == [(1, MIXED_TIER), (1, "")]
    assert changes(run, "role") == [(1, "prefill"), (1, "decode")]
    assert run.first_scheduled_s[2] == pytest.approx(0.002)


def test_an_empty_queue_takes_any_prompt():
    """Claim: the limit binds only where somebody waits."""
    work = Workload.of([0.0, 3.0], [500, 500], [2, 2])
    fleet = apart()
    run = simulate(work, fleet, splitwise(work, fleet, SplitwiseSettings(max_pending_tokens=100)), check=True)
    assert not changes(run, "role")


def test_a_full_token_instance_converts_a_prompt_instance():
    """Claim: prompt + output of two requests are 160 of 150 tokens: the second decodes on a prompt instance."""
    work = Workload.of([0.0, 0.001], [40, 40], [40, 40])
    fleet = apart(capacity=150, prompt=2)
    run = simulate(work, fleet, splitwise(work, fleet, SplitwiseSettings(assumed_output_tokens=40)), check=True)
    # Least promised of the prompt instances is the second one, which has nothing; the prompt goes there too.
    assert changes(run, "tier") == [(1, MIXED_TIER)]
    assert run.instance.tolist() == [2, 1]


def test_the_tier_of_the_group_is_restored():
    """Claim: who returns from the mixed pool has its own tier again."""
    work = Workload.of([0.0, 0.001, 0.002, 5.0], [40, 50, 60, 10], [2, 2, 2, 2])
    fleet = apart(tier="gold")
    run = simulate(work, fleet, splitwise(work, fleet, SplitwiseSettings(max_pending_tokens=100)))
    assert changes(run, "tier") == [(1, MIXED_TIER), (1, "gold")]


def test_lengths_are_assumed_unless_the_truth_is_asked_for():
    """Claim: by default it declares no information and assumes the law's mean; with "oracle" it says so."""
    work = Workload.of([0.0, 1.0], [5, 5], [2, 5])
    policy = splitwise(work, apart(), SplitwiseSettings())
    assert policy.information is Information.NONE
    assert policy.settings["assumed_output_tokens"] == 4
    policy = splitwise(work, apart(), SplitwiseSettings(lengths="oracle"))
    assert policy.information is Information.ORACLE
    assert policy.settings["assumed_output_tokens"] is None


def test_no_decision_depends_on_hidden_lengths():
    """Claim: two paths that differ only in outputs still to come are routed alike while nobody has finished."""
    sent = {}
    for last in (30, 300):
        work = Workload.of(np.arange(8) * 0.01, [20] * 8, [last] * 8)
        fleet = apart(prompt=2, token=2, capacity=400)
        policy = splitwise(work, fleet, SplitwiseSettings(50, assumed_output_tokens=30))
        run = simulate(work, fleet, policy)
        assert run.completion_s.min() > work.arrival_s[-1]
        sent[last] = changes(run, "tier")[:6]
    assert sent[30] == sent[300]


def test_decodes_pause_at_most_so_often():
    """Claim: prompts that fill the limit keep decodes of a mixed instance out, but at most four times in a row."""
    n = 40
    work = Workload.of([0.0, *np.linspace(0.05, 0.06, n)], [10] + [100] * n, [200] + [1] * n)
    fleet = apart(capacity=100_000)
    settings = SplitwiseSettings(max_pending_tokens=10**9, max_batch_tokens=100, assumed_output_tokens=10**6)
    policy, pauses = splitwise(work, fleet, settings), []

    def batch(view):
        plan = policy.batch(view)
        if view.decoding() and plan.prefill:
            pauses.append(plan.decode == ())
        return plan

    run = simulate(work, fleet, replace(policy, batch=batch), check=True)
    assert run.instance[0] == 0
    assert len(pauses) > 20
    assert pauses == [k % 5 < 4 for k in range(len(pauses))]


@given(st.integers(0, 10_000))
def test_exact_and_nothing_is_lost(seed):
    """Claim: everybody completes, memory never overflows, and epochs of length one give the same run."""
    work, fleet, settings, faults = random_case(seed)
    policy = splitwise(work, fleet, settings)
    run = simulate(work, fleet, policy, faults=faults, check=True)
    assert np.isfinite(run.completion_s).all()
    assert_same(run, simulate(work, fleet, policy, faults=faults, epoch_limit=1))


@given(st.integers(0, 10_000))
def test_instances_return_to_their_pool_when_free(seed):
    """Claim: at every arrival who is mixed has something to do or to expect, and who is not has its own role."""
    work, fleet, settings, faults = random_case(seed)
    policy = splitwise(work, fleet, settings)
    homes = [group.role for group in fleet.instances()]

    def route(view, request):
        answer = policy.route(view, request)
        books = Books.of(view)
        after = {i: (view.tier(i), view.role(i)) for i in range(view.size)}
        after.update((order.instance, (order.tier, order.role)) for order in answer.actions)
        for i, (tier, role) in after.items():
            if tier == MIXED_TIER:
                assert role is Role.PREFILL
                assert view.in_system(i) or books.committed[i] or str(view.state(i)) != "serving"
            else:
                assert role is homes[i]
        return answer

    simulate(work, fleet, replace(policy, route=route), faults=faults, check=True)


@given(st.integers(0, 10_000))
def test_promises_are_struck_out(seed):
    """Claim: an arrival long after the load finds nothing promised and everybody at home."""
    work, fleet, settings, _ = random_case(seed)
    late = Workload.of([*work.arrival_s, 10_000.0], [*work.input_tokens, 1], [*work.output_tokens, 1])
    policy, seen = splitwise(work, fleet, settings), []

    def route(view, request):
        answer = policy.route(view, request)
        if request == len(late) - 1:
            books = Books.of(view)
            seen.append(({r for promised in books.committed for r in promised}, set(books.journeys)))
        return answer

    run = simulate(late, fleet, replace(policy, route=route), check=True)
    assert seen == [({len(late) - 1}, {len(late) - 1})]
    assert all(sum(k == "tier" and i == j for j, k in _kinds(run)) % 2 == 0 for i in range(fleet.size))


def _kinds(run):
    return [(event.instance, event.kind) for event in run.log.events]


def random_case(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    arrivals = rng.exponential(rng.choice([0.01, 0.05]), n).cumsum()
    work = Workload.of(arrivals, rng.integers(1, 60, n), rng.integers(1, 60, n))
    fleet = random_fleet(rng, int((work.input_tokens + work.output_tokens).max()))
    fleet = Fleet(fleet.groups[:2], fleet.migration)
    limits = [int(rng.integers(low, high)) for low, high in ((10, 200), (10, 100), (2, 12), (0, 5))]
    faults = random_faults(rng, float(arrivals[-1]), fleet.size) if rng.integers(2) else ()
    return work, fleet, SplitwiseSettings(*limits, lengths=str(rng.choice(["assumed", "oracle"]))), faults


@pytest.mark.parametrize("roles", [("prefill",), ("mixed",), ("prefill", "decode", "mixed")])
def test_other_fleets_are_refused(roles):
    """Claim: it needs prefill and decode groups and no others, none of them in the mixed pool's tier."""
    fleet = Fleet(tuple(Group(gpu(100), 1, role) for role in roles))
    with pytest.raises(InputError, match="splitwise needs prefill and decode groups and no others"):
        splitwise(Workload.of([0.0], [1], [1]), fleet, SplitwiseSettings())
    with pytest.raises(InputError, match="no group may start in a tier of that name"):
        splitwise(Workload.of([0.0], [1], [1]), apart(tier=MIXED_TIER), SplitwiseSettings())


@pytest.mark.parametrize(("field", "value"), [("max_pending_tokens", 0), ("lengths", "true"), ("max_preemptions", -1)])
def test_settings_name_the_field(field, value):
    """Claim: settings check themselves."""
    with pytest.raises(InputError, match=field):
        SplitwiseSettings(**{field: value})
