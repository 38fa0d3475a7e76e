"""Routers that look at counts, tokens and work: their decisions in states set up by hand."""

import pytest

from orsched import Fleet, Group, Hardware, Information, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies import ROUTERS
from policies.routers import AIBrix, CacheAware, Dynamo, LeastWork, LinearScore, MooncakeConductor, Preble, SLOAdmission
from policies.vllm_v1 import vllm_v1

PRICED = Affine(1.0, 0.01, 0.0, 0.0)


def decision(router, arrivals, prompts, outputs, script, fleet, policy=None):
    """What `router` says about the request after the scripted ones."""
    answers = []

    def scripted(view, request, /):
        if request < len(script):
            return script[request]
        if request == len(script):
            answers.append(router(view, request))
        return 0

    policy = vllm_v1() if policy is None else policy
    simulate(Workload.of(arrivals, prompts, outputs), fleet, policy.routed_by(scripted))
    return answers[0]


def at_once(router, prompts, script, outputs=None, policy=None):
    """The same when all arrive together on two instances with 8 seats."""
    fleet = Fleet.identical(Hardware("priced", PRICED, 8192, 8), 2)
    n = len(prompts)
    return decision(router, [0.0] * n, prompts, outputs or [5] * n, script, fleet, policy)


def with_lengths():
    """A policy that knows output lengths."""
    policy = vllm_v1()
    return Policy("knowing", policy.batch, information=Information.ORACLE)


def test_vllm_router_counts_a_waiting_request_four_times():
    """Claim: one seat with one running and one waiting request scores 5, eight seats with four running score 4; JSQ
    prefers the first, the vLLM router the second."""
    one, eight = (Group(Hardware(f"seats-{n}", PRICED, 2000, n)) for n in (1, 8))
    state = ([0.0] * 6 + [1.5], [10] * 7, [50] * 7, [0, 0, 1, 1, 1, 1], Fleet((one, eight)))
    assert decision(ROUTERS["jsq"], *state) == 0
    assert decision(ROUTERS["vllm-router"], *state) == 1


def test_token_jsq_counts_prompt_tokens():
    """Claim: 100 tokens in one prompt against 30 in three: JSQ takes the first instance, token-JSQ the second; of
    equal backlogs the fewer requests."""
    assert at_once(ROUTERS["jsq"], [100, 10, 10, 10, 7], [0, 1, 1, 1]) == 0
    assert at_once(ROUTERS["token-jsq"], [100, 10, 10, 10, 7], [0, 1, 1, 1]) == 1
    assert at_once(ROUTERS["token-jsq"], [10, 20, 30, 7], [0, 0, 1]) == 1


@pytest.mark.parametrize(("own", "chosen"), [(10, 0), (1, 1)])
def test_lmetric_multiplies(own, chosen):
    """Claim: 100 tokens in one against 30 in three: (100 + 10) 1 < (30 + 10) 3, but (100 + 1) 1 > (30 + 1) 3."""
    assert at_once(ROUTERS["lmetric"], [100, 10, 10, 10, own], [0, 1, 1, 1]) == chosen


def test_lmetric_between_idle_instances():
    """Claim: with nobody there the product is 0 everywhere and the lowest index is taken."""
    assert at_once(ROUTERS["lmetric"], [10], []) == 0


@pytest.mark.parametrize(("weight", "chosen"), [(1, 1), (2, 0)])
def test_dynamo_adds_prompt_tokens_and_kv_tokens(weight, chosen):
    """Claim: 100 cached tokens against a prompt of 60: 100 > 60, but 100 < 2 * 60."""
    fleet = Fleet.identical(Hardware("steady", Affine(0.1, 0, 0, 0), 2000, 8), 2)
    state = ([0.0, 0.15, 0.16], [100, 60, 5], [20, 20, 20], [0, 1], fleet)
    assert decision(Dynamo(weight), *state) == chosen


def test_prices_of_tokens_by_hand():
    """Claim: 1 s an iteration and 0.01 s a prompt token, 8 seats: an output token takes 1/8 s; in memory for four
    contexts, 1/4 s."""
    assert LeastWork().prices(Hardware("h", PRICED, 8192, 8)) == pytest.approx((0.01, 0.125))
    assert LeastWork().prices(Hardware("h", PRICED, 4096, 8)) == pytest.approx((0.01, 0.25))
    assert LeastWork().prices(Hardware("h", PRICED, 10, 8)) == pytest.approx((0.01, 1.0))


@pytest.mark.parametrize(("mean", "chosen"), [(256, 0), (1, 1)])
def test_least_work_without_lengths(mean, chosen):
    """Claim: 100 tokens in one request against 30 in three, a mean of 256 output tokens: 1 + 32 s against 0.3 + 96 s;
    a mean of 1: 1 + 0.125 s against 0.3 + 0.375 s."""
    assert at_once(LeastWork(mean), [100, 10, 10, 10, 7], [0, 1, 1, 1]) == chosen


@pytest.mark.parametrize(("first", "chosen"), [(1, 0), (100, 1)])
def test_least_work_with_lengths(first, chosen):
    """Claim: the same with known outputs of 10 on the second instance, 0.3 + 3.75 s, whatever the mean: against
    1 + 0.125 s and 1 + 12.5 s."""
    outputs = [first, 10, 10, 10, 5]
    assert at_once(LeastWork(9999), [100, 10, 10, 10, 7], [0, 1, 1, 1], outputs, with_lengths()) == chosen


def test_linear_without_a_cache_joins_the_shortest_queue():
    """Claim: nothing is cached anywhere, so that only the load counts."""
    assert at_once(ROUTERS["linear"], [100, 10, 10, 7], [0, 1, 1]) == 0
    assert at_once(ROUTERS["aibrix"], [10, 10, 100, 7], [0, 0, 1]) == 1


def test_cache_aware_without_matches_takes_the_smallest_tree():
    """Claim: 100, 10, 10, 10 tokens go to 0, 1, 1, 1 (trees 0 0; 100 0; 100 10; 100 20; then 100 30), unless one is
    out of balance: with at most one request more, the third goes to 1 (two there), the fourth to 0."""
    prompts, outputs, fleet = [100, 10, 10, 10], [50] * 4, Fleet.identical(Hardware("h", PRICED, 8192, 8), 2)
    work = Workload.of([0.0] * 4, prompts, outputs)
    assert simulate(work, fleet, vllm_v1().routed_by(CacheAware())).instance.tolist() == [0, 1, 1, 1]
    tight = CacheAware(most_difference=0, most_ratio=1)
    assert simulate(work, fleet, vllm_v1().routed_by(tight)).instance.tolist() == [0, 1, 1, 0]


def test_preble_forgets_what_is_older_than_its_window():
    """Claim: a prompt of 100 goes to 0, one of 50 to 1, another of 40 to 1 (50 < 100). A second after the window of the
    first two has passed, 0 is empty and is taken."""
    fleet = Fleet.identical(Hardware("h", Affine(0.01, 0.01, 0, 0), 8192, 8), 2)
    work = Workload.of([0.0, 0.1, 0.2, 10.15], [100, 50, 40, 5], [2] * 4)
    run = simulate(work, fleet, vllm_v1().routed_by(Preble(window_s=10, mean_output_tokens=1)))
    assert run.instance.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearScore(1.5), "LinearScore.miss_weight = 1.5"),
        (lambda: LeastWork(0), "LeastWork.mean_output_tokens = 0"),
        (lambda: AIBrix(-1), "AIBrix.most_imbalance = -1"),
        (lambda: CacheAware(most_ratio=0.5), "CacheAware.most_ratio = 0.5"),
        (lambda: Preble(window_s=0), "Preble.window_s = 0"),
        (lambda: Dynamo(float("nan")), "Dynamo.prefill_weight = nan"),
        (lambda: MooncakeConductor(threshold=0.5), "MooncakeConductor.threshold = 0.5"),
        (lambda: MooncakeConductor(objective=3), "MooncakeConductor.objective = 3"),
        (lambda: SLOAdmission(propose="jsq"), "SLOAdmission.propose = 'jsq'"),
        (lambda: SLOAdmission(hops=-1), "SLOAdmission.hops = -1"),
    ],
)
def test_parameters_are_checked(make, message):
    """Claim: the message names the field and the value."""
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
