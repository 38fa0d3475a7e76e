"""Nested WAIT's formulas and conditions against the paper, and the thresholds chosen by them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from instances import REFERENCE, SERVICE_MODELS, random_workload

from orsched import Fleet, Information, Workload, hardware, simulate
from orsched.errors import InputError
from orsched.service import Affine, Batch
from policies.wait import NestedWait
from policies.wait.drift import OverflowRisk, theta_root
from policies.wait.nested_law import NestedLaw
from policies.wait.nested_thresholds import expected_in_system
from policies.wait.segments import NestedSegments

LMSYS = hardware("llama2-7b/a100-80g-linear-lmsys")
SEATED = replace(LMSYS, max_num_seqs=10_000)


def two_types(rate, n, share=0.3):
    """Poisson arrivals of prompts of 512 tokens; 20 or, a share of them, 50 decode steps and a token more."""
    rng = np.random.default_rng(0)
    outputs = np.where(rng.random(n) < share, 50, 20) + 1
    return Workload.of(np.cumsum(rng.exponential(1 / rate, n)), np.full(n, 512), outputs).at_rate(rate)


# The formulas


@pytest.mark.parametrize(
    ("entering", "threshold", "survival", "root", "bound"),
    [
        (100, 60, 0.5, 0.82216, 0.8),
        (100, 55, 0.5, 0.40269, 0.4),
        (20, 8, 0.3, 0.87106, 0.8),
        (10, 5, 0.3, 1.69460, 1.6),
        (100, 35, 0.3, 0.45143, 0.4),
    ],
)
def test_theta_is_the_root(entering, threshold, survival, root, bound):
    """Claim: theta_k solves exp(-theta n_k)(1 - p + p e^theta)^n_(k-1) = 1; it is >= 8 (n_k - n_(k-1) p) / n_(k-1)."""
    theta = theta_root(entering, threshold, survival)
    assert theta == pytest.approx(root, abs=5e-6)
    assert theta >= bound
    value = -theta * threshold + entering * math.log(1 - survival + survival * math.exp(theta))
    assert value == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("entering", "threshold", "survival"), [(10, 3, 0.3), (10, 10, 0.3), (10, 5, 0.0)])
def test_theta_without_a_root_is_refused(entering, threshold, survival):
    """Claim: outside 0 < p < n_k / n_(k-1) < 1 there is no positive root, and the message says so."""
    with pytest.raises(InputError, match="positive root needs"):
        theta_root(entering, threshold, survival)


def test_memory_of_the_two_type_example():
    """Claim: l = 512, l' = (20, 50), p_2 = .3, n = (20, 8): M^pi = 350,640, threshold buffer 4,256, log buffer
    11,673.8 for (1e6, .01) and 7,454.9 for (1e4, .1)."""
    segments = NestedSegments((20, 50), (20, 8), (0.3,), (512, 512))
    assert segments.widths == (21, 30)
    assert segments.mean_progress == (10, 35.5)
    assert segments.memory_tokens == 350_640
    assert segments.threshold_buffer_tokens == 4_256
    assert segments.fluctuation_buffer_tokens(OverflowRisk(0.01, 1e6)) == pytest.approx(11_673.8, abs=0.05)
    assert segments.fluctuation_buffer_tokens(OverflowRisk(0.1, 1e4)) == pytest.approx(7_454.9, abs=0.05)
    assert segments.required_tokens(OverflowRisk()) == pytest.approx(350_640 + 4_256 + 11_673.8, abs=0.05)
    assert segments.cycle_s(Affine.wait(0.01, 4e-7)) == pytest.approx(0.01 + 4e-7 * 350_640)


def test_as_many_as_enter_need_no_fluctuation_buffer():
    """Claim: with n_k >= n_(k-1) the boundary queue is bounded whatever happens, and the log term is not needed."""
    segments = NestedSegments((20, 50, 80), (8, 8, 5), (0.3, 0.5), (512, 512, 512))
    assert segments.theta[0] is None
    alone = NestedSegments((20, 50, 80), (8, 8, 8), (0.3, 0.5), (512, 512, 512))
    assert alone.fluctuation_buffer_tokens(OverflowRisk()) == 0
    assert segments.fluctuation_buffer_tokens(OverflowRisk()) == pytest.approx(
        (512 + 50) * OverflowRisk().log(3) / theta_root(8, 5, 0.5)
    )


@pytest.mark.parametrize("service", SERVICE_MODELS.values(), ids=SERVICE_MODELS)
@pytest.mark.parametrize("g", [1, 4])
def test_cycle_and_memory_are_those_of_full_stages(service, g):
    """Claim: memory, seats and cycle time equal the sums over all places of all stages, also for stages of several
    iterations."""
    edges, n, prompt = [0, 20, 52], (5, 2), (100, 120)
    segments = NestedSegments((19, 51), n, (0.3,), prompt, g)
    places = [
        (n[k], prompt[k], emitted) for k in (0, 1) for emitted in range(edges[k], edges[k + 1], g)
    ]  # emitted tokens at the start of the stage
    assert segments.memory_tokens == sum(c * (tokens + e + g - 1) for c, tokens, e in places)
    assert segments.seats == sum(c for c, _, _ in places)
    cycle = 0.0
    for phase in range(g):
        decodes = [(c, tokens + e + phase - 1) for c, tokens, e in places if e + phase > 0]
        first = (n[0] * prompt[0], n[0] * prompt[0] ** 2 / 2) if phase == 0 else (0, 0)
        cycle += service.iteration_s(Batch(*first, 0, sum(c for c, _ in decodes), sum(c * kv for c, kv in decodes)))
    assert segments.cycle_s(service) == pytest.approx(cycle)


def test_the_mean_of_full_stages_is_the_paper_where_types_end_at_cuts():
    """Claim: where every output ends at a cut, planning with the mean is planning with full stages; otherwise it asks
    for less."""
    law = NestedLaw.of(two_types(10.0, 400))
    full, mean = law.full((20, 50), (4, 2), 1), law.mean((20, 50), (4, 2), 1)
    assert mean.memory_tokens == pytest.approx(full.memory_tokens)
    assert full.survival[0] == pytest.approx(0.3, abs=0.08)
    assert full.prompt_tokens == pytest.approx((512, 512))
    spread = NestedLaw.of(random_workload(1, 400))
    assert spread.mean((39, 79), (4, 2), 1).memory_tokens < 0.9 * spread.full((39, 79), (4, 2), 1).memory_tokens


# Thresholds


def test_chosen_thresholds_satisfy_every_condition_strictly():
    """Claim: on the paper's two types with its linear constants one iteration a stage is feasible, hence chosen, the
    cuts are the types, every condition holds, and nobody is evicted."""
    workload = two_types(30.0, 4000)
    policy = NestedWait().from_fluid(workload, Fleet.identical(LMSYS))
    found = policy.settings
    assert policy.information is Information.NONE
    assert policy.num_cohorts == 3
    assert found["stage_iterations"] == 1
    assert found["cuts"] == [20, 50]
    (p,) = found["survival"]
    n1, n2 = found["thresholds"]
    assert p < n2 / n1 <= 1
    assert workload.rate_per_s * found["cycle_s"] < n1
    assert found["memory_tokens"] + found["buffer_tokens"] <= LMSYS.kv_capacity_tokens
    assert simulate(workload, Fleet.identical(LMSYS), policy).preemptions.sum() == 0


@pytest.mark.parametrize("rate", [20.0, 40.0])
def test_latency_is_paced_by_the_firings(rate):
    """Claim: a stage of segment k lasts n_k / Lambda_k, one firing, so that mean latency is at least the interior's
    share of the predicted number in system over the rate (Little), and at most the whole prediction and a firing."""
    workload = two_types(rate, 8000)
    law, fleet = NestedLaw.of(workload), Fleet.identical(LMSYS)
    policy = NestedWait().from_fluid(workload, fleet)
    found = policy.settings
    segments = law.full(tuple(found["cuts"]), tuple(found["thresholds"]), 1)
    latency = simulate(workload, fleet, policy).latency_s[500:-500].mean()
    predicted = expected_in_system(segments, law.occupancy(segments.cuts, 1), rate * found["cycle_s"]) / rate
    paced = sum(segments.places) / rate
    assert paced * 0.97 < latency < predicted + segments.thresholds[0] / rate


@pytest.mark.parametrize("seed", range(4))
def test_the_required_memory_means_no_eviction(seed):
    """Claim: with exactly the memory that the conditions ask for, requests of one prompt length and any output lengths
    evict nobody; with half of it the same thresholds do."""
    rng = np.random.default_rng(seed)
    n = 3000
    workload = Workload.of(np.cumsum(rng.exponential(1, n)), np.full(n, 200), rng.integers(1, 300, n)).at_rate(4.0)
    roomy = replace(REFERENCE, kv_capacity_tokens=200_000)
    policy = NestedWait(segments=3).from_fluid(workload, Fleet.identical(roomy))
    needed = math.ceil(policy.settings["memory_tokens"] + policy.settings["buffer_tokens"])
    evicted = [
        simulate(workload, Fleet.identical(replace(roomy, kv_capacity_tokens=memory)), policy).preemptions.sum()
        for memory in (needed, needed // 2)
    ]
    assert evicted[0] == 0
    assert evicted[1] > 100


@pytest.mark.parametrize(
    ("cuts", "thresholds", "message"),
    [
        ((20, 50), (10, 3), r"violate p_k < n_k / n_\(k-1\).* segment 2, which takes 3"),
        ((20, 50), (20, 8), "violate the memory requirement: 350640 KV tokens for full stages"),
        ((20, 50), (1, 1), r"violate Delta\^pi < n_1 / Lambda_1"),
        ((20, 40), (4, 2), "longest output takes 50 decode steps"),
        ((20, 50, 60), (4, 2, 1), "longest output takes 50 decode steps"),
        ((20, 50), (4,), "2 cuts, 1 thresholds"),
        ((20, 50), (4, 0), r"thresholds = \(4, 0\): must be a tuple of 1 or more whole numbers"),
        ((50, 20), (4, 2), "longest output takes 50 decode steps"),
    ],
)
def test_thresholds_that_violate_a_condition_are_refused(cuts, thresholds, message):
    """Claim: each condition is checked, and the message gives both sides."""
    with pytest.raises(InputError, match=message):
        NestedWait().with_thresholds(cuts, thresholds, two_types(60.0, 2000), Fleet.identical(SEATED))


def test_more_requests_than_seats_are_refused():
    """Claim: full stages must fit in the deployment's batch."""
    with pytest.raises(InputError, match="660 requests in a batch, at most 256"):
        NestedWait().with_thresholds((20, 50), (20, 8), two_types(60.0, 2000), Fleet.identical(LMSYS))


def test_given_thresholds_that_hold_are_taken():
    """Claim: with_thresholds runs what it is given, with stages of several iterations too."""
    workload = two_types(20.0, 1000)
    policy = NestedWait().with_thresholds((20, 50), (4, 2), workload, Fleet.identical(LMSYS))
    assert policy.settings["thresholds"] == [4, 2]
    longer = NestedWait().with_thresholds((23, 55), (4, 2), workload, Fleet.identical(LMSYS), stage_iterations=8)
    assert longer.settings["stage_iterations"] == 8
    assert np.isfinite(simulate(workload, Fleet.identical(LMSYS), longer).completion_s).all()


def test_loads_beyond_the_conditions_are_refused_with_the_next_step():
    """Claim: where nothing is feasible the user is told what to change; planning with means goes further."""
    rng = np.random.default_rng(0)
    n = 3000
    workload = Workload.of(np.cumsum(rng.exponential(1, n)), rng.integers(50, 951, n), rng.integers(20, 481, n))
    fleet = Fleet.identical(REFERENCE)
    with pytest.raises(InputError, match="lower the load, allow a larger overflow probability"):
        NestedWait().from_fluid(workload.at_load(0.7, fleet), fleet)
    policy = NestedWait().from_mean_occupancy(workload.at_load(0.7, fleet), fleet)
    assert np.isfinite(simulate(workload.at_load(0.7, fleet), fleet, policy).completion_s).all()


def test_one_output_length_needs_no_cut():
    """Claim: where all outputs are equal there is nothing to cut, and one segment is made of however many."""
    policy = NestedWait(segments=3).from_fluid(two_types(20.0, 500, share=0.0), Fleet.identical(LMSYS))
    assert policy.settings["cuts"] == [20]
    assert policy.num_cohorts == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cuts": (20, 20)}, "increase strictly"),
        ({"cuts": (20,)}, "1 cuts, 2 thresholds"),
        ({"survival": (0.0,)}, "p_2 = 0.0: must be a finite number > 0 and <= 1"),
        ({"prompt_tokens": (0.0, 1.0)}, "segment 1 = 0.0: must be a finite number > 0"),
        ({"stage_iterations": 2}, "divide every cut"),
        ({"occupancy": (0.5,)}, "2 shares"),
    ],
)
def test_segments_that_cannot_be_are_refused(fields, message):
    """Claim: every field of the segments is checked."""
    with pytest.raises(InputError, match=message):
        replace(NestedSegments((20, 50), (20, 8), (0.3,), (512, 512)), **fields)
