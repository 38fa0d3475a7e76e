"""Laws of every run: conservation, memory, causality, determinism, information."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import build, policy_names, random_workload, router_names, seeds, services, tight_hardware

from orsched import Fleet, Information, Plan, Policy, Workload, simulate
from orsched.engine.plan import DECODE_ALL, IDLE, Chunk
from orsched.errors import InformationError, InputError, PlanError
from orsched.service import Batch
from policies import ROUTERS


@settings(max_examples=100)
@given(policy_names, services, seeds, st.sampled_from([1, 16]))
def test_every_request_is_served_once_and_no_faster_than_physics(name, service, seed, block):
    """Claim: each request completes exactly once, in causal order, after at least o iterations of its own work."""
    workload = random_workload(seed)
    fleet = Fleet(tight_hardware(service, seed, block))
    policy = build(name, workload, fleet)
    if policy is None:
        return
    run = simulate(workload, fleet, policy, check=True)
    assert np.isfinite(run.completion_s).all()
    assert (run.first_scheduled_s >= run.arrival_s).all()
    assert (run.first_token_s > run.first_scheduled_s).all()
    assert (run.completion_s >= run.first_token_s).all()
    alone = service.iteration_s(Batch(num_seqs=1))
    assert (run.completion_s - run.first_token_s >= (run.output_tokens - 1) * alone * (1 - 1e-12)).all()
    one_token = run.output_tokens == 1
    np.testing.assert_array_equal(run.completion_s[one_token], run.first_token_s[one_token])


@settings(max_examples=60)
@given(policy_names, router_names, seeds)
def test_integrals_agree_with_the_request_columns(name, router, seed):
    """Claim: capacity is never exceeded on average, busy time fits in the makespan, work is conserved."""
    workload = random_workload(seed)
    fleet = Fleet(tight_hardware(random_service(), seed, 1), 2)
    policy = build(name, workload, fleet)
    if policy is None:
        return
    run = simulate(workload, fleet, policy.routed_by(ROUTERS[router]), check=True)
    elapsed = run.completion_s.max()
    assert (run.busy_s <= elapsed * (1 + 1e-9)).all()
    assert (run.kv_token_s <= run.kv_capacity_tokens * elapsed * (1 + 1e-9)).all()
    assert (run.batch_s <= run.max_num_seqs * run.busy_s * (1 + 1e-9)).all()
    in_batch = run.completion_s - run.first_scheduled_s
    assert run.batch_s.sum() <= in_batch.sum() * (1 + 1e-9) + 1e-9


def random_service():
    from instances import AFFINE

    return AFFINE


@settings(max_examples=40)
@given(policy_names, router_names, seeds)
def test_same_seed_same_bytes(name, router, seed):
    """Claim: a simulation is a function of workload, fleet, policy and seed."""
    workload = random_workload(seed)
    fleet = Fleet(tight_hardware(random_service(), seed, 16), 3)
    policy = build(name, workload, fleet)
    if policy is None:
        return
    policy = policy.routed_by(ROUTERS[router])
    first, second = simulate(workload, fleet, policy, 11), simulate(workload, fleet, policy, 11)
    for column in ("first_scheduled_s", "first_token_s", "completion_s", "instance", "kv_token_s"):
        assert getattr(first, column).tobytes() == getattr(second, column).tobytes()


@settings(max_examples=60)
@given(policy_names, seeds)
def test_hidden_lengths_do_not_change_the_past(name, seed):
    """Claim: lengthening requests that have not finished by time t changes nothing any policy without
    length information did before t."""
    workload = random_workload(seed, longest_output=40)
    fleet = Fleet(tight_hardware(random_service(), seed, 16))
    policy = build(name, workload, fleet)
    if policy is None or policy.information > Information.NONE or name == "orca":
        return  # class and oracle policies may know; Orca knows the longest context of the deployment
    longest = int(np.argmax(workload.input_tokens + workload.output_tokens))
    run = simulate(workload, fleet, policy)
    t = float(np.median(run.completion_s))
    late = run.completion_s > t
    late[longest] = False  # keeps the deployment's context length as it was
    shorter = np.where(late, np.maximum(1, workload.output_tokens - 1), workload.output_tokens)
    emitted_one_less = late & (run.output_tokens > 1)
    other = simulate(Workload.of(workload.arrival_s, workload.input_tokens, shorter), fleet, policy)
    horizon = min(t, float(other.completion_s[emitted_one_less].min()) if emitted_one_less.any() else t)
    for column in ("first_scheduled_s", "first_token_s", "completion_s"):
        before, after = getattr(run, column), getattr(other, column)
        seen = (before < horizon) | (after < horizon)
        np.testing.assert_array_equal(before[seen], after[seen])


def test_output_lengths_are_hidden_from_a_policy_without_oracle():
    """Claim: reading a hidden length raises and names what is needed."""

    def peek(view):
        view.output_tokens(0)
        return IDLE

    with pytest.raises(InformationError, match="'oracle'"):
        simulate(random_workload(1), Fleet(tight_hardware(random_service(), 1, 1)), Policy("peek", peek))


def test_a_request_larger_than_the_memory_is_refused_before_anything_runs():
    """Claim: what cannot fit is an input error that names the request."""
    workload = Workload.of([0.0, 1.0], [10, 5000], [5, 5])
    with pytest.raises(InputError, match=r"request 2 of .* ends with 5004 KV tokens"):
        simulate(workload, Fleet(tight_hardware(random_service(), 1, 1)), Policy("idle", lambda view: IDLE))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda view: IDLE, "runs nothing although"),
        (lambda view: Plan((Chunk(99, 5),)), "request 99 is not waiting here"),
        (lambda view: Plan((Chunk(0, 10_000),)), "was given a chunk of 10000 tokens, 10 are left"),
        (lambda view: Plan((Chunk(0, 0),)), "was given a chunk of 0 tokens"),
        (lambda view: Plan((Chunk(0, 10, 10_000),)), "KV overflow"),
        (lambda view: Plan(preempt=(0,)), "cannot be preempted"),
    ],
)
def test_impossible_plans_are_refused(plan, message):
    """Claim: a policy that plans what cannot be executed gets a PlanError that says what and where."""
    workload = Workload.of([0.0, 0.0], [10, 10], [5, 5])
    with pytest.raises(PlanError, match=message):
        simulate(workload, Fleet(tight_hardware(random_service(), 1, 1)), Policy("wrong", plan))


def test_growth_beyond_the_capacity_is_refused():
    """Claim: overflow is impossible by construction; a policy that never preempts is stopped, not served."""

    def greedy(view):
        chunks = tuple(Chunk(r, view.prompt_tokens[r]) for r in view.waiting)
        return Plan(chunks) if chunks else DECODE_ALL

    workload = Workload.of([0.0, 0.0, 0.0], [100, 100, 100], [60, 60, 60])
    hardware = tight_hardware(random_service(), 1, 1)
    from dataclasses import replace

    with pytest.raises(PlanError, match="needs 3 more KV blocks"):
        simulate(workload, Fleet(replace(hardware, kv_capacity_tokens=400)), Policy("greedy", greedy))


def test_a_fleet_needs_a_router():
    """Claim: several instances without a router is an error that says how to add one."""
    with pytest.raises(InputError, match="routed_by"):
        simulate(
            random_workload(1), Fleet(tight_hardware(random_service(), 1, 1), 2), Policy("idle", lambda view: IDLE)
        )
