"""Laws of every run: conservation, memory, causality, determinism, information."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instances import AFFINE, build, policy_names, random_workload, router_names, seeds, services, tight_hardware

from orsched import Fleet, Information, Plan, Policy, Workload, simulate
from orsched.engine.plan import DECODE_ALL, IDLE, Chunk
from orsched.errors import InformationError, InputError, PlanError
from orsched.service import Batch
from policies import RECIPES, ROUTERS

BLIND = sorted(name for name, recipe in RECIPES.items() if recipe.information is Information.NONE)


@settings(max_examples=100)
@given(policy_names, services, seeds, st.sampled_from([1, 16]))
def test_every_request_is_served_once_and_no_faster_than_physics(name, service, seed, block):
    """Claim: each request completes exactly once, in causal order, after at least o iterations of its own work."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    policy = build(name, workload, fleet)
    assume(policy is not None)
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
    fleet = Fleet.identical(tight_hardware(AFFINE, seed, 1), 2)
    policy = build(name, workload, fleet)
    assume(policy is not None)
    run = simulate(workload, fleet, policy.routed_by(ROUTERS[router]), check=True)
    elapsed = run.completion_s.max()
    assert (run.busy_s <= elapsed * (1 + 1e-9)).all()
    assert (run.kv_token_s <= run.kv_capacity_tokens * elapsed * (1 + 1e-9)).all()
    assert (run.batch_s <= run.max_num_seqs * run.busy_s * (1 + 1e-9)).all()
    in_batch = run.completion_s - run.first_scheduled_s
    assert run.batch_s.sum() <= in_batch.sum() * (1 + 1e-9) + 1e-9


@settings(max_examples=40)
@given(policy_names, router_names, seeds)
def test_same_seed_same_bytes(name, router, seed):
    """Claim: a simulation is a function of workload, fleet, policy and seed."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(AFFINE, seed, 16), 3)
    policy = build(name, workload, fleet)
    assume(policy is not None)
    policy = policy.routed_by(ROUTERS[router])
    first, second = simulate(workload, fleet, policy, 11), simulate(workload, fleet, policy, 11)
    for column in ("first_scheduled_s", "first_token_s", "completion_s", "instance", "kv_token_s"):
        assert getattr(first, column).tobytes() == getattr(second, column).tobytes()


@settings(max_examples=60)
@given(st.sampled_from(BLIND), seeds)
def test_hidden_lengths_do_not_change_the_past(name, seed):
    """Claim: lengthening requests that have not finished by time t changes nothing any policy without
    length information did before t."""
    workload = random_workload(seed, longest_output=40)
    fleet = Fleet.identical(tight_hardware(AFFINE, seed, 16))
    policy = build(name, workload, fleet)
    assume(policy is not None)
    run = simulate(workload, fleet, policy)
    t = float(np.median(run.completion_s))
    late = run.completion_s > t
    shorter = np.where(late, np.maximum(1, workload.output_tokens - 1), workload.output_tokens)
    emitted_one_less = late & (run.output_tokens > 1)
    changed = Workload.of(workload.arrival_s, workload.input_tokens, shorter)
    other = simulate(replace(changed, context_tokens=workload.context_tokens), fleet, policy)
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
        simulate(random_workload(1), Fleet.identical(tight_hardware(AFFINE, 1, 1)), Policy("peek", peek))


def test_a_request_larger_than_the_memory_is_refused_before_anything_runs():
    """Claim: what cannot fit is an input error that names the request."""
    workload = Workload.of([0.0, 1.0], [10, 5000], [5, 5])
    with pytest.raises(InputError, match=r"request 1 of .* ends with 5004 KV tokens"):
        simulate(workload, Fleet.identical(tight_hardware(AFFINE, 1, 1)), Policy("idle", lambda view: IDLE))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (lambda view: IDLE, "runs nothing although"),
        (lambda view: Plan((Chunk(99, 5),)), "request 99 is not waiting here"),
        (lambda view: Plan((Chunk(0, 10_000),)), "was given a chunk of 10000 tokens, 10 are left"),
        (lambda view: Plan((Chunk(0, 0),)), "was given a chunk of 0 tokens"),
        (lambda view: Plan((Chunk(0, 10, 10_000),)), "instance 0: request 0 does not fit: KV overflow"),
        (lambda view: Plan(preempt=(0,)), "cannot be preempted"),
    ],
)
def test_impossible_plans_are_refused(plan, message):
    """Claim: a policy that plans what cannot be executed gets a PlanError that says what and where."""
    workload = Workload.of([0.0, 0.0], [10, 10], [5, 5])
    with pytest.raises(PlanError, match=message):
        simulate(workload, Fleet.identical(tight_hardware(AFFINE, 1, 1)), Policy("wrong", plan))


def test_growth_beyond_the_capacity_is_refused():
    """Claim: overflow is impossible by construction; a policy that never preempts is stopped, not served."""

    def greedy(view):
        chunks = tuple(Chunk(r, view.prompt_tokens[r]) for r in view.waiting)
        return Plan(chunks) if chunks else DECODE_ALL

    workload = Workload.of([0.0, 0.0, 0.0], [100, 100, 100], [60, 60, 60])
    hardware = tight_hardware(AFFINE, 1, 1)
    with pytest.raises(PlanError, match="needs 3 more KV blocks"):
        simulate(workload, Fleet.identical(replace(hardware, kv_capacity_tokens=400)), Policy("greedy", greedy))


def test_a_fleet_needs_a_router():
    """Claim: several instances without a router is an error that says how to add one."""
    with pytest.raises(InputError, match="routed_by"):
        simulate(
            random_workload(1), Fleet.identical(tight_hardware(AFFINE, 1, 1), 2), Policy("idle", lambda view: IDLE)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("azure-conv", None, None), "workload is a str: give a Workload"),
        ((0, "hardware", None), "fleet is a Hardware: give a Fleet"),
        ((0, 1, "sarathi"), "policy is a str: give a Policy"),
    ],
)
def test_mixed_up_arguments_are_named(arguments, message):
    """Claim: the likeliest first mistakes say what was meant."""
    hardware = tight_hardware(AFFINE, 1, 1)
    given = [random_workload(1), Fleet.identical(hardware), Policy("idle", lambda view: IDLE)]
    for place, value in enumerate(arguments):
        if isinstance(value, str):
            given[place] = hardware if value == "hardware" else value
    with pytest.raises(InputError, match=message):
        simulate(*given)


def test_a_negative_seed_is_refused():
    """Claim: a seed that is no seed is an input error."""
    with pytest.raises(InputError, match="seed = -1"):
        simulate(
            random_workload(1), Fleet.identical(tight_hardware(AFFINE, 1, 1)), Policy("idle", lambda view: IDLE), -1
        )


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy("none", lambda view: None), "returned None: a batcher returns a Plan"),
        (Policy("list", lambda view: []), "a batcher returns a Plan"),
        (Policy("far", lambda view: Plan((Chunk(0, 10, cohort=3),))), "sent to cohort 3, there are 1"),
        (Policy("back", lambda view: Plan((Chunk(0, 10, cohort=-1),))), "sent to cohort -1"),
        (Policy("other", lambda view: Plan(decode=(2,))), "decodes cohort 2, there are 1"),
        (Policy("twice", lambda view: Plan(decode=(0, 0))), "decodes a cohort twice"),
        (Policy("halves", lambda view: Plan((Chunk(0, 5), Chunk(0, 5)))), "two chunks in one iteration"),
        (Policy("stuck", lambda view: Plan(decode=(), until_s=view.now_s)), "which is not later"),
        (Policy("wild", lambda view: IDLE, num_classes=2, classify=lambda i, o: 7), "classified request 0 as 7"),
    ],
)
def test_malformed_plans_and_classes_are_refused(policy, message):
    """Claim: what a policy gets wrong in form is a PlanError that names it, not an IndexError from inside."""
    workload = Workload.of([0.0, 0.0], [10, 10], [5, 5])
    with pytest.raises(PlanError, match=message):
        simulate(workload, Fleet.identical(tight_hardware(AFFINE, 1, 1)), policy)


def test_context_length_is_that_of_the_whole():
    """Claim: a slice keeps the deployment's context length, so Orca's reservation does not depend on the path."""
    workload = Workload.of([0.0, 1.0, 2.0], [10, 500, 10], [5, 5, 5])
    assert workload.head(1).context_tokens == 505
    assert workload.resample(2, np.random.default_rng(0)).context_tokens == 505


def test_a_limit_of_no_iterations_is_refused():
    """Claim: step and epoch limits below one are errors, not endless runs."""

    def none_at_all(view):
        chunks = tuple(Chunk(r, view.prompt_tokens[r]) for r in view.waiting)
        return Plan(chunks) if chunks else Plan(max_steps=0)

    fleet = Fleet.identical(tight_hardware(AFFINE, 1, 1))
    workload = Workload.of([0.0], [10], [5])
    with pytest.raises(PlanError, match="max_steps must be >= 1"):
        simulate(workload, fleet, Policy("none", none_at_all))
    with pytest.raises(InputError, match="epoch_limit = 0"):
        simulate(workload, fleet, Policy("idle", lambda view: IDLE), epoch_limit=0)


def test_a_policy_that_polls_ends_with_the_work_and_is_stopped_when_it_never_works():
    """Claim: timed idling ends when all is served; putting off the last work for ever is a PlanError."""

    def polling(view):
        for request in view.waiting:
            return Plan((Chunk(request, view.prompt_tokens[request]),))
        return DECODE_ALL if view.running else Plan(decode=(), until_s=view.now_s + 1.0)

    fleet = Fleet.identical(tight_hardware(AFFINE, 1, 1))
    workload = Workload.of([0.0, 3.5], [10, 10], [5, 5])
    assert np.isfinite(simulate(workload, fleet, Policy("polling", polling)).completion_s).all()
    with pytest.raises(PlanError, match="runs nothing although"):
        simulate(workload, fleet, Policy("lazy", lambda view: Plan(decode=(), until_s=view.now_s + 1.0)))
