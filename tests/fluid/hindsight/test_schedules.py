"""What a valid schedule is, and that the heuristics build valid ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_instances import optimum, round_instances

from fluid.hindsight import (
    RoundInstance,
    as_serving,
    check_schedule,
    constructed,
    list_schedule,
    mc_sf_starts,
    occupied,
    searched,
    total_latency,
)
from orsched import simulate
from orsched.errors import InputError
from policies.mc_sf import mc_sf
from policies.sjf import sjf
from policies.vllm_v1 import vllm_v1

seeds = st.integers(0, 2**32 - 1)


def naive_mc_sf(instance):
    """MC-SF from its definition: a scan by output length, feasibility by adding up the whole future."""
    starts = {}
    waiting = sorted(range(len(instance)), key=lambda i: (instance.output_tokens[i], i))
    now = 0
    while waiting:
        for i in [j for j in waiting if instance.arrival_rounds[j] <= now]:
            trial = {**starts, i: now}
            held = {}
            for j, start in trial.items():
                for k in range(1, int(instance.output_tokens[j]) + 1):
                    held[start + k] = held.get(start + k, 0) + int(instance.prompt_tokens[j]) + k
            if max(held.values()) > instance.memory_tokens:
                break
            starts = trial
            waiting.remove(i)
        now += 1
    return np.array([starts[i] for i in range(len(instance))])


def test_occupied_memory_is_the_ramp_of_the_model():
    """A request started at k holds s+1..s+o in rounds k+1..k+o, and nothing before or after."""
    instance = RoundInstance.of([0, 1], [2, 0], [3, 2], 9)
    assert occupied(instance, np.array([1, 2])).tolist() == [0, 0, 3, 5, 7]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0], [1], [1, 2], 5), "length"),
        (([], [], [], 5), "at least one"),
        (([0], [1], [5], 5), "holds 6 tokens"),
        (([0.5], [1], [1], 5), "arrival_rounds row 0"),
        (([0], [-1], [1], 5), "prompt_tokens row 0"),
        (([0], [1], [0], 5), "output_tokens row 0"),
        (([float("nan")], [1], [1], 5), "arrival_rounds row 0"),
        (([[0]], [1], [1], 5), "shape"),
        (([0], [1], [1], 0), "memory_tokens"),
        (([0], [1], [1], 5.5), "memory_tokens"),
    ],
)
def test_bad_instances_are_refused(columns, message):
    """The error names the column or the request."""
    with pytest.raises(InputError, match=message):
        RoundInstance.of(*columns)


def test_bad_schedules_are_refused():
    """Too early, too much memory, wrong length: the error says where."""
    instance = RoundInstance.of([1, 0], [1, 1], [3, 3], 5)
    with pytest.raises(InputError, match="before it arrives"):
        check_schedule(instance, np.array([0, 4]))
    with pytest.raises(InputError, match="round 3 holds 6 tokens"):
        check_schedule(instance, np.array([1, 1]))
    with pytest.raises(InputError, match="2 requests"):
        check_schedule(instance, np.array([1]))


@settings(max_examples=30, deadline=None)
@given(round_instances(most=9, memory=(4, 15)), seeds)
def test_heuristics_build_valid_schedules(instance, seed):
    """MC-SF follows its definition; list scheduling takes the earliest start that fits; search never loses."""
    greedy = mc_sf_starts(instance)
    assert greedy.tolist() == naive_mc_sf(instance).tolist()
    order = np.random.default_rng(seed).permutation(len(instance)).tolist()
    listed = list_schedule(instance, order)
    for starts in (greedy, listed, constructed(instance)):
        check_schedule(instance, starts)
    assert total_latency(instance, constructed(instance)) <= total_latency(instance, greedy)
    for k, i in enumerate(order):
        part = order[: k + 1]
        some = RoundInstance.of(
            instance.arrival_rounds[part],
            instance.prompt_tokens[part],
            instance.output_tokens[part],
            instance.memory_tokens,
        )
        for start in range(int(instance.arrival_rounds[i]), int(listed[i])):
            with pytest.raises(InputError, match="holds"):
                check_schedule(some, np.append(listed[order[:k]], start))


def test_search_improves_and_stays_valid():
    """On an instance of the published size a second of search beats MC-SF, and the schedule is valid."""
    rng = np.random.default_rng(3)
    prompt = rng.integers(1, 6, 45)
    instance = RoundInstance.of(np.zeros(45), prompt, rng.integers(1, 41 - prompt), 40)
    starts = searched(instance, 0.5)
    check_schedule(instance, starts)
    assert total_latency(instance, starts) < total_latency(instance, mc_sf_starts(instance))


def run_latency_s(instance, policy):
    """Total latency of an engine run of the instance, and its preemptions."""
    workload, fleet = as_serving(instance)
    run = simulate(workload, fleet, policy)
    return float(np.sum(run.completion_s - run.arrival_s)), int(run.preemptions.sum())


@settings(max_examples=12, deadline=None)
@given(round_instances(most=5))
def test_no_policy_without_preemption_beats_the_optimum(instance):
    """The engine's runs of SJF and MC-SF are schedules of the round model; MC-SF's is the one built here."""
    best = optimum(instance)
    for policy in (sjf(), mc_sf()):
        latency_s, preemptions = run_latency_s(instance, policy)
        assert preemptions == 0
        assert latency_s >= best * (1 - 1e-9), policy.name
    assert run_latency_s(instance, mc_sf())[0] == pytest.approx(total_latency(instance, mc_sf_starts(instance)))


def test_preemption_can_beat_every_schedule_without_pause():
    """Why the hindsight optimum bounds only policies without preemption: recomputing is free in unit rounds."""
    instance = RoundInstance.of([0, 0, 0], [0, 0, 0], [3, 3, 1], 4)
    latency_s, preemptions = run_latency_s(instance, vllm_v1())
    assert preemptions > 0
    assert latency_s == 8
    assert optimum(instance) == 9
