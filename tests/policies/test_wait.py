"""WAIT against the paper: conditions, invariant, thresholds."""

import math

import numpy as np
import pytest
from instances import REFERENCE

from orsched import Fleet, Hardware, Policy, Workload, hardware, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies import Wait
from policies.parts.bins import LengthBins
from policies.wait import KeepDecoding, Waiting
from policies.wait.profile import class_profiles, cycle_memory_tokens, cycle_s
from policies.wait.thresholds import check_thresholds, choose_thresholds

TOY = Hardware("toy", Affine.wait(0.88, 0.01), 12, 64)
LMSYS = hardware("llama2-7b/a100-80g-linear-lmsys")


def poisson(rates, lengths, n, seed=0, name="types"):
    """Poisson types with fixed (prompt, WAIT decode) lengths; WAIT's l' decode steps are l' + 1 output tokens."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(1 / sum(rates), n))
    kind = rng.choice(len(rates), size=n, p=np.array(rates) / sum(rates))
    prompt = np.array([length for length, _ in lengths])[kind]
    output = np.array([decode + 1 for _, decode in lengths])[kind]
    return Workload.of(times, prompt, output, name=name)


def profiles_of(workload, hardware_, bins):
    return class_profiles(workload, bins.classify(workload), bins.count, 1)


def test_cycle_formulas_are_the_papers():
    """Claim: for one type, M^pi = n S with S = (l'+1)(l + l'/2) and Delta^pi = d0 + d1 M^pi (wait.md 1, 3)."""
    workload = poisson([20.0], [(512, 20)], 100)
    profile = profiles_of(workload, LMSYS, LengthBins())
    assert cycle_memory_tokens(profile, [3], 1, 1) == pytest.approx(3 * 10_962)
    d0, d1 = 0.0102484863577943, 3.877682025836559e-07
    assert cycle_s(LMSYS.service, profile, [3], 1) == pytest.approx(d0 + d1 * 3 * 10_962)


def test_balanced_toy_of_the_paper():
    """Claim: l = l' = 1, C = 12, lambda = 4, d0 = 0.88, d1 = 0.01: threshold 4 gives Delta = 1, M = 12, no slack."""
    workload = poisson([4.0], [(1, 1)], 2000).at_rate(4.0)
    chosen = check_thresholds([4], profiles_of(workload, TOY, LengthBins()), TOY)
    assert chosen.cycle_s == pytest.approx(1.0)
    assert chosen.memory_tokens == pytest.approx(12)
    assert chosen.slack == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([5], "violate M\\^pi <= C: 15 KV tokens"),
        ([3], "violate Delta\\^pi <= n_j / lambda_j"),
        ([0], "threshold of class 0 = 0"),
        ([4, 4], "2 thresholds for 1 classes"),
    ],
)
def test_thresholds_that_violate_the_conditions_are_refused(thresholds, message):
    """Claim: each condition is checked and the message gives both sides."""
    workload = poisson([4.0], [(1, 1)], 500).at_rate(4.0)
    with pytest.raises(InputError, match=message):
        Wait(1, 1).with_thresholds(thresholds, workload, Fleet.identical(TOY))


def test_algorithm_1_as_printed_is_used_when_feasible():
    """Claim: on p512d20 with the paper's linear constants one iteration a stage is feasible, hence chosen, and the
    conditions hold strictly."""
    workload = poisson([60.0], [(512, 20)], 3000).at_rate(60.0)
    policy = Wait(1, 1).from_fluid(workload, Fleet.identical(LMSYS))
    assert policy.settings["stage_iterations"] == 1
    assert policy.settings["slack"] > 0
    assert policy.settings["memory_tokens"] <= LMSYS.kv_capacity_tokens


@pytest.mark.parametrize("variant", [Waiting, KeepDecoding])
def test_stage_counts_never_exceed_the_threshold_and_nothing_is_evicted(variant):
    """Claim (paper's invariant): N_js <= n_j for every stage s >= 1, so that memory stays below M^pi and no
    prompt is evicted; checked at every decision of a run with two types."""
    bins = LengthBins((), (22,))
    workload = poisson([40.0, 20.0], [(512, 20), (512, 50)], 2000).at_rate(60.0)
    profiles = profiles_of(workload, LMSYS, bins)
    chosen = choose_thresholds(profiles, LMSYS)
    assert chosen.stage_iterations == 1
    batcher = variant(chosen.per_class, 1)
    peak = 0

    def watched(view):
        nonlocal peak
        for j, limit in enumerate(chosen.per_class):
            progress = {}
            for request in view.running:
                if view.cohort_of(request) == j:
                    stage = view.cached_tokens(request) - view.input_tokens(request)
                    progress[stage] = progress.get(stage, 0) + 1
            assert max(progress.values(), default=0) <= limit
        peak = max(peak, view.capacity_blocks - view.free_blocks)
        return batcher(view)

    policy = Policy(
        "watched",
        watched,
        information=Wait().from_fluid(workload, Fleet.identical(LMSYS)).information,
        num_classes=2,
        classify=bins,
    )
    run = simulate(workload, Fleet.identical(LMSYS), policy)
    assert run.preemptions.sum() == 0
    assert 0 < peak <= chosen.memory_tokens


def test_a_class_fires_only_with_its_threshold_and_takes_exactly_that_many():
    """Claim (Algorithm 1, steps 3 and 4): while requests still arrive, every batch admits exactly n_j prompts of a
    firing class, and a class below its threshold is frozen, decode stages included."""
    fires = []
    batcher = Waiting((3,), 1)

    def watched(view):
        plan = batcher(view)
        if not view.closed:
            waiting = len(view.waiting)
            if waiting >= 3:
                fires.append(len(plan.prefill))
                assert plan.decode == (0,)
            else:
                assert not plan.prefill
                assert plan.decode == ()
        return plan

    workload = poisson([8.0], [(16, 5)], 301)
    simulate(workload, Fleet.identical(LMSYS), Policy("watched", watched))
    assert fires
    assert set(fires) == {3}


def test_the_last_prompts_are_served_when_nothing_arrives_any_more():
    """Claim (ours): a finite run ends; the fewer-than-n_j leftovers fire once the input is closed."""
    workload = poisson([8.0], [(16, 5)], 10)
    run = simulate(workload, Fleet.identical(LMSYS), Policy("wait", Waiting((4,), 1)))
    assert np.isfinite(run.completion_s).all()


@pytest.mark.parametrize("rate", [30.0, 60.0])
def test_latency_in_the_slack_case_is_paced_by_arrivals(rate):
    """Claim: with slack a prompt needs l' + 1 firings, one per n arrivals, so latency is at least about
    (l' + 1) n / lambda; beyond it there is at most the paper's backlog 2n + E[(X - n)^2] / (2 (n - mu))."""
    workload = poisson([rate], [(512, 20)], 6000).at_rate(rate)
    policy = Wait(1, 1).from_fluid(workload, Fleet.identical(LMSYS))
    (n,) = policy.settings["thresholds"]
    mean = rate * policy.settings["cycle_s"]
    backlog = 2 * n + (mean + (n - mean) ** 2) / (2 * (n - mean))
    latency = simulate(workload, Fleet.identical(LMSYS), policy).latency_s[500:-500].mean()
    paced = 21 * n / rate
    assert paced * 0.97 < latency < paced + backlog / rate


def test_infeasible_loads_are_refused_with_the_next_step():
    """Claim: where no integer thresholds exist the user is told what to change."""
    rng = np.random.default_rng(0)
    n = 3000
    workload = Workload.of(
        np.cumsum(rng.exponential(1, n)), rng.integers(50, 951, n), rng.integers(20, 481, n)
    ).at_load(0.999, Fleet.identical(REFERENCE))
    with pytest.raises(InputError, match="lower the load, use fewer classes"):
        Wait(2, 2).from_fluid(workload, Fleet.identical(REFERENCE))


def test_bins_partition_every_length():
    """Claim: each request has one class, classes are about equally large, and one-by-one and columnwise agree."""
    rng = np.random.default_rng(1)
    workload = Workload.of(np.arange(1000.0), rng.integers(1, 500, 1000), rng.geometric(0.01, 1000))
    bins = LengthBins.quantiles(workload, 3, 2)
    classes = bins.classify(workload)
    pairs = zip(workload.input_tokens.tolist(), workload.output_tokens.tolist(), strict=True)
    assert [int(bins(i, o)) for i, o in pairs] == classes.tolist()
    assert bins.count == 6
    assert math.isclose(np.bincount(classes).min(), 1000 / 6, rel_tol=0.3)


def test_empty_classes_of_the_grid_are_served_when_they_come():
    """Claim: a grid cell without a request in the representative workload gets threshold 1 and loses nobody."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 400, 900)
    diagonal = Workload.of(np.cumsum(rng.exponential(0.05, 900)), lengths, lengths)
    fleet = Fleet.identical(REFERENCE)
    policy = Wait(3, 3).from_fluid(diagonal.at_load(0.3, fleet), fleet)
    assert len(policy.settings["thresholds"]) == policy.num_classes == 9
    other = Workload.of(diagonal.arrival_s, lengths, lengths[::-1].copy()).at_load(0.3, fleet)
    run = simulate(other, fleet, policy)
    assert np.isfinite(run.completion_s).all()
