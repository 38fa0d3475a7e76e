"""A_max and A_min: which end they plan with, whom they evict, what they become with the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import edge_of_memory, random_workload, seeds, services, tight_hardware
from laws import assert_exact
from round_rules import a_min_rounds, columns, law_of_the_paper, served, small_instance

from fluid.hindsight import RoundInstance, a_max_starts, mc_sf_starts, simple_bound
from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.prediction import Predictions
from orsched.service import Affine
from policies.a_max import a_max
from policies.a_min import a_min
from policies.mc_sf import mc_sf
from policies.predictors import Interval, Oracle

ROUND = Affine(1.0, 0.0, 0.0, 0.0)


class Between:
    """Predicts given intervals; the point is neither end when there is room."""

    name = "between"

    def __init__(self, low, high):
        self.low, self.high = np.asarray(low), np.asarray(high)

    def __call__(self, workload, rng, /):
        return Predictions.of((self.low + self.high) // 2, self.low, self.high)


def intervals(instance, seed):
    """Random intervals that contain the true lengths, within the context of the longest request."""
    rng = np.random.default_rng(seed)
    truth, prompts = instance.output_tokens, instance.prompt_tokens
    low, high = rng.integers(1, truth + 1), truth + rng.integers(0, 10, len(truth))
    return low, np.minimum(high, (prompts + truth).max() - prompts)


@pytest.mark.parametrize("burst", [True, False])
def test_a_min_is_its_rule_round_by_round(burst):
    """Claim: in unit rounds completions equal the rule with tokens kept, on 30 instances of each synthetic law of the
    MC-SF paper with random lower ends; requests are evicted; and TEL is at least the bounds."""
    evicted = 0
    for seed in range(30):
        capacity, arrivals, prompts, outputs = law_of_the_paper(seed, burst)
        instance = RoundInstance.of(arrivals[:30], prompts[:30], outputs[:30], capacity)
        low, high = intervals(instance, seed)
        run = served(instance, a_min(Between(low, high)))
        np.testing.assert_array_equal(run.completion_s, a_min_rounds(*columns(instance), low.tolist(), capacity))
        assert run.latency_s.sum() >= simple_bound(instance)
        evicted += run.preemptions.sum()
    assert evicted > 50


@pytest.mark.parametrize("burst", [True, False])
def test_a_max_is_its_rule_round_by_round(burst):
    """Claim: in unit rounds starts equal `a_max_starts`, nobody is preempted, and TEL is at least the bounds."""
    for seed in range(15):
        instance = small_instance(seed, burst, 40)
        low, high = intervals(instance, seed)
        run = served(instance, a_max(Between(low, high)))
        np.testing.assert_array_equal(run.first_scheduled_s, a_max_starts(instance, high))
        assert run.preemptions.sum() == 0
        assert run.latency_s.sum() >= simple_bound(instance)


@pytest.mark.parametrize("make", [a_max, a_min])
@settings(max_examples=20)
@given(seed=seeds, service=services, block=st.sampled_from([1, 16]))
def test_with_the_truth_both_are_mc_sf(make, seed, service, block):
    """Claim: when both ends of every interval are the truth the run is that of MC-SF."""
    workload, fleet = random_workload(seed), Fleet.identical(tight_hardware(service, seed, block))
    run, other = simulate(workload, fleet, make(Oracle()), check=True), simulate(workload, fleet, mc_sf())
    np.testing.assert_array_equal(run.completion_s, other.completion_s)
    assert run.preemptions.sum() == 0


def test_with_the_truth_a_min_is_mc_sf_in_rounds():
    """Claim: the same in unit rounds, against MC-SF's rule."""
    for seed in range(10):
        instance = small_instance(seed, False, 40)
        run = served(instance, a_min(Oracle()))
        np.testing.assert_array_equal(run.first_scheduled_s, mc_sf_starts(instance))


@settings(max_examples=30)
@given(seeds, services, st.sampled_from([0.05, 0.5, 1.0]), st.sampled_from([1, 16]))
def test_upper_ends_that_hold_never_preempt(seed, service, alpha, block):
    """Claim: A_max preempts nobody when intervals contain the truth, however wide, beyond the memory too."""
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    run = simulate(random_workload(seed), fleet, a_max(Interval(alpha)), seed=seed, check=True)
    assert run.preemptions.sum() == 0


def test_evicts_the_shortest_bound_and_remembers_it():
    """Claim: by hand. Memory 9, prompts of 1 (rounds; 2 here), outputs 5 and 4, lower ends 2 and 3. Both start at 0 and
    hold 4 each in round 3, having outlived their bounds, now 4 and 4. Round 4 would hold 10: the later of the two is
    evicted. It waits with bound 4, its 5 tokens do not fit beside 6 in round 5, and it needs one round from 5 on."""
    instance = RoundInstance.of([0, 0], [1, 1], [5, 4], 9)
    run = served(instance, a_min(Between([2, 3], [6, 6])))
    assert run.completion_s.tolist() == [5.0, 6.0]
    assert run.preemptions.tolist() == [0, 1]


def test_an_evicted_request_waits_at_the_place_of_its_bound():
    """Claim: by hand. As above, and a third request arrives at 4, prompt 4 and 5 outputs, that fits beside nobody. At 5
    it starts before the evicted one, whose bound is 4, when its lower end is 3, and after it when that is 5."""
    instance = RoundInstance.of([0, 0, 4], [1, 1, 4], [5, 4, 5], 9)
    runs = [served(instance, a_min(Between([2, 3, low], [6, 6, 6]))) for low in (3, 5)]
    assert [run.completion_s.tolist() for run in runs] == [[5.0, 11.0, 10.0], [5.0, 6.0, 11.0]]


@settings(max_examples=40)
@given(seeds, st.sampled_from([1, 7, 16]))
def test_a_min_ends_where_memory_is_just_the_longest_request(seed, block):
    """Claim: with lower ends of 1 and memory for one request everybody is served, in at most one iteration for each
    output token, and epochs of length one give the same run."""
    workload, edge = edge_of_memory(seed, block)
    run = assert_exact(workload, Fleet.identical(edge), a_min(Between(np.ones(14, dtype=int), workload.output_tokens)))
    assert run.iterations.sum() <= workload.output_tokens.sum()


def test_which_predicted_number_is_planned_with():
    """Claim: `plans_with` decides what a policy reads as the output length and by what the queue is ordered; another
    name is refused."""
    seen = {}
    for end in ("low", "point", "high"):
        policy = mc_sf().predicted_by(Between([2, 1], [4, 9]))
        order = []

        def batch(view, end=end, order=order, policy=policy):
            seen.setdefault(end, [view.output_tokens(r) for r in (0, 1)])
            order.extend(view.waiting)
            return policy.batch(view)

        watched = Policy(
            "w", batch, information=policy.information, order=policy.order, predict=policy.predict, plans_with=end
        )
        simulate(Workload.of([0.0, 0.0], [5, 5], [2, 9]), Fleet.identical(Hardware("hand", ROUND, 100, 8)), watched)
        seen[end] = (seen[end], order[:2])
    assert seen == {"low": ([2, 1], [1, 0]), "point": ([3, 5], [0, 1]), "high": ([4, 9], [0, 1])}
    with pytest.raises(InputError, match="plans_with = 'middle'"):
        Policy("w", lambda view: None, plans_with="middle")
