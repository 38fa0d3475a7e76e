"""Balanced decoding: bounds <= exact placement <= every placement, and exact agrees with exhaustive search."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.fleets.assignment import best_placement
from fluid.fleets.balance import BalanceCase, DecodeJob, Migration, jobs_of
from fluid.fleets.balance_bounds import balance_bounds
from fluid.fleets.balance_greedy import greedy_placement
from fluid.fleets.balance_score import NOWHERE, score
from fluid.fleets.placement_programme import PlacementProgramme
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine, Hinged

OBJECTIVES = ("worst_gap_s", "mean_worst_gap_s")
services = st.sampled_from(
    [Affine(0.01, 0, 5e-4, 1e-4), Affine(0.01, 0, 0, 1e-3), Hinged(0.01, 1e-4, 1e-4, 1e-4, 2, 5e-3), Affine(1, 0, 0, 0)]
)


@st.composite
def cases(draw, most_jobs=4, most_rounds=3, sizes=(2, 3), homes=True):
    m = draw(st.sampled_from(sizes))
    jobs = []
    for _ in range(draw(st.integers(1, most_jobs))):
        home = draw(st.none() | st.integers(0, m - 1)) if homes else None
        jobs.append(
            DecodeJob(draw(st.integers(1, 60)), draw(st.integers(1, most_rounds)), draw(st.integers(0, 1)), home)
        )
    price = Migration(
        base_s=draw(st.sampled_from([0, 2e-3, 1.0])),
        token_s=draw(st.sampled_from([0, 1e-4])),
        most=draw(st.none() | st.just(1)),
    )
    hw = Hardware(
        "tiny", draw(services), draw(st.sampled_from([40, 80, 130, 500])), draw(st.sampled_from([1, 2, 9])), 4
    )
    return BalanceCase(tuple(jobs), Fleet.identical(hw, m), draw(st.sampled_from([1, 2])), price)


def placements(case):
    """Every placement, fitting or not."""
    slots = [(j, p) for p in range(case.periods) for j in case.placed(p)]
    for choice in itertools.product(range(case.fleet.size), repeat=len(slots)):
        seats = np.full((len(case.jobs), case.periods), NOWHERE)
        for (j, p), i in zip(slots, choice, strict=True):
            seats[j, p] = i
        yield seats


def small(case):
    slots = sum(len(case.placed(p)) for p in range(case.periods))
    return case.fleet.size**slots <= 800


def optimum(case, objective):
    """Best objective over all placements that fit, or None."""
    found = []
    for seats in placements(case):
        outcome = score(case, seats)
        allowed = case.migration.most is None or outcome.migrations <= case.migration.most
        if outcome.fits and allowed:
            found.append(getattr(outcome, objective))
    return min(found, default=None)


def check_exact(case, objective):
    best = optimum(case, objective)
    if best is None:
        with pytest.raises(InputError, match=r"no placement fits|an instance holds|the jobs hold|at most"):
            best_placement(case, objective)
        return
    plan = best_placement(case, objective)
    assert plan.status == "optimal"
    assert plan.value == pytest.approx(best, rel=1e-5)
    assert plan.outcome.fits
    for bound in plan.bounds:
        assert bound.value <= best * (1 + 1e-6 * (not bound.certified)) * (1 + 1e-12)
        assert bound.certified != (bound.name == "placement-branch-and-bound")


@settings(max_examples=25)
@given(cases().filter(small), st.sampled_from(OBJECTIVES))
def test_exact_placement_equals_exhaustive_search(case, objective):
    check_exact(case, objective)


@pytest.mark.slow
@settings(max_examples=800)
@given(cases().filter(small), st.sampled_from(OBJECTIVES))
def test_exact_placement_equals_exhaustive_search_at_length(case, objective):
    check_exact(case, objective)


def round_robin(case, rng):
    m = case.fleet.size
    return fixed(case, [j % m for j in range(len(case.jobs))])


def at_random(case, rng):
    return fixed(case, [rng.randrange(case.fleet.size) for _ in case.jobs])


def shortest_queue(case, rng):
    """Each job, in order of start, to the instance with fewest jobs still alive."""
    home = {}
    for j in sorted(range(len(case.jobs)), key=lambda j: case.jobs[j].start):
        alive = [k for k in home if case.jobs[k].start + case.jobs[k].rounds > case.jobs[j].start]
        counts = [sum(home[k] == i for k in alive) for i in range(case.fleet.size)]
        home[j] = counts.index(min(counts))
    return fixed(case, [home[j] for j in range(len(case.jobs))])


def rebalanced(case, rng):
    """At every period all jobs are placed anew by current KV, heaviest first."""
    seats = np.full((len(case.jobs), case.periods), NOWHERE)
    reads = case.reads()
    for p in range(case.periods):
        load = [0] * case.fleet.size
        for j in sorted(case.placed(p), key=lambda j: -reads[j, case.alive(j, p)[0]]):
            i = load.index(min(load))
            seats[j, p], load[i] = i, load[i] + reads[j, case.alive(j, p)[0]]
    return seats


def fixed(case, home):
    seats = np.full((len(case.jobs), case.periods), NOWHERE)
    for p in range(case.periods):
        for j in case.placed(p):
            seats[j, p] = home[j]
    return seats


POLICIES = (round_robin, at_random, shortest_queue, rebalanced)


@settings(max_examples=50)
@given(cases(most_jobs=12, most_rounds=6, sizes=(1, 2, 4)), st.integers(0, 2**32))
def test_no_policy_beats_perfect_balance(case, seed):
    """Round by round, and for maximum, mean and overflow; memory may overflow here."""
    found, rng = balance_bounds(case), random.Random(seed)
    slack = 1 + 1e-12
    assert (found.average_s <= found.whole_s).all()
    for policy in POLICIES:
        outcome = score(case, policy(case, rng))
        assert (found.whole_s <= outcome.gap_s * slack).all()
        worst, mean = found.bounds()
        assert worst.value <= outcome.worst_gap_s
        assert mean.value <= outcome.mean_worst_gap_s
        assert found.overflow_tokens.sum() <= outcome.overflow_tokens


@settings(max_examples=12)
@given(cases(most_jobs=7, most_rounds=4, homes=False), st.sampled_from(OBJECTIVES), st.integers(0, 2**32))
def test_bounds_below_exact_below_policies(case, objective, seed):
    try:
        plan = best_placement(case, objective, time_limit_s=10)
    except InputError:
        return
    rng = random.Random(seed)
    for bound in plan.bounds:
        assert bound.value <= plan.value * (1 + 1e-9)
    for policy in POLICIES:
        outcome = score(case, policy(case, rng))
        if outcome.fits and outcome.migrations <= (99 if case.migration.most is None else case.migration.most):
            assert plan.value <= getattr(outcome, objective) * (1 + 1e-5)


@settings(max_examples=25)
@given(cases(most_jobs=9, most_rounds=5), st.sampled_from(OBJECTIVES))
def test_greedy_placement_is_a_feasible_point(case, objective):
    seats = greedy_placement(case)
    if seats is None:
        return
    written = PlacementProgramme(case, objective)
    point = written.point(seats)
    assert score(case, seats).fits
    assert written.programme.violation(point) <= 1e-9
    value = written.programme.objective @ point * written.unit_s
    assert value >= getattr(score(case, seats), objective) * (1 - 1e-9)


@settings(max_examples=8)
@given(cases(most_jobs=5, sizes=(2,), homes=False))
def test_monotone(case):
    """More instances or cheaper migrations never hurt, nor do they raise the bound."""
    larger = BalanceCase(case.jobs, Fleet.identical(case.fleet.hardware, 3), case.period_rounds, case.migration)
    free = BalanceCase(case.jobs, case.fleet, case.period_rounds)
    assert balance_bounds(larger).worst_s <= balance_bounds(case).worst_s * (1 + 1e-12)
    try:
        base = best_placement(case, "worst_gap_s").value
    except InputError:
        return
    assert best_placement(larger, "worst_gap_s").value <= base * (1 + 1e-5)
    assert best_placement(free, "worst_gap_s").value <= base * (1 + 1e-5)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=7), st.integers(1, 3))
def test_whole_request_bound_below_the_best_split(weights, m):
    """One round: no split of the jobs over m instances has a lower largest sum than the bound."""
    fleet = Fleet.identical(Hardware("gpu", Affine(1e-9, 0, 0, 1.0), 10**6), m)
    case = BalanceCase(jobs_of(weights, [1] * len(weights)), fleet)
    best = min(
        max(sum(w for w, i in zip(weights, split, strict=True) if i == k) for k in range(m))
        for split in itertools.product(range(m), repeat=len(weights))
    )
    found = balance_bounds(case)
    assert found.worst_s <= best * (1 + 1e-6)
    if len(weights) <= m + 1:
        assert found.worst_s == pytest.approx(best, rel=1e-6)  # the heaviest, or the lightest pair: exact


UNIT = Affine(0.01, 0, 0, 1e-5)


def test_infeasible_in_words():
    fleet = Fleet.identical(Hardware("gpu", UNIT, 100, 4), 2)
    with pytest.raises(InputError, match="job 1 grows to 121 KV tokens, an instance holds 100"):
        best_placement(BalanceCase(jobs_of([50, 120], [1, 1]), fleet), "worst_gap_s")
    with pytest.raises(InputError, match="round 1: the jobs hold 246 KV tokens, 2 instances of 100 hold 200"):
        best_placement(BalanceCase(jobs_of([80, 80, 80], [2, 2, 2]), fleet), "worst_gap_s")
    with pytest.raises(InputError, match=r"no placement fits; .*KV memory of instance \d in round 0"):
        best_placement(BalanceCase(jobs_of([60, 60, 60], [1, 1, 1]), fleet), "worst_gap_s")
    with pytest.raises(InputError, match="round 0: 9 jobs, but 2 instances take at most 4 each"):
        best_placement(BalanceCase(jobs_of([1] * 9, [1] * 9), fleet), "worst_gap_s")


def test_bad_input_in_words():
    with pytest.raises(InputError, match=r"DecodeJob.rounds = 0"):
        DecodeJob(3, 0)
    with pytest.raises(InputError, match="home 2 does not exist"):
        BalanceCase((DecodeJob(3, 1, 0, 2),), Fleet.identical(Hardware("gpu", UNIT, 100), 2))
    case = BalanceCase(jobs_of([3], [2]), Fleet.identical(Hardware("gpu", UNIT, 100), 2))
    with pytest.raises(InputError, match="job 0 takes part in period 1 but sits at -1"):
        score(case, np.array([[0, NOWHERE]]))


def test_overflow_and_evictions():
    """Three jobs of 40 tokens after a round, two instances of 50: 20 too many, and one has to go."""
    case = BalanceCase(jobs_of([39, 39, 39], [1, 1, 1]), Fleet.identical(Hardware("gpu", UNIT, 50), 2))
    found = balance_bounds(case)
    assert found.overflow_tokens.tolist() == [20]
    assert found.evictions.tolist() == [1]
    assert found.to_rows()[0]["overflow_tokens"] == 20


def test_migration_pays_only_when_cheap():
    """Two long jobs share a home: free migration separates them, a dear one leaves them together."""
    jobs = (DecodeJob(1000, 3, 0, 0), DecodeJob(1000, 3, 0, 0))
    fleet = Fleet.identical(Hardware("gpu", UNIT, 10_000), 2)
    free = best_placement(BalanceCase(jobs, fleet), "worst_gap_s")
    dear = best_placement(BalanceCase(jobs, fleet, 1, Migration(base_s=1.0)), "worst_gap_s")
    assert free.outcome.migrations == 1
    assert free.value == pytest.approx(0.01 + 1002e-5)
    assert dear.outcome.migrations == 0
    assert dear.value == pytest.approx(0.01 + 2004e-5)


def test_a_time_limit_is_labelled():
    """Stopped early, the plan is the greedy one or better, and every bound is below it."""
    rng = random.Random(1)
    jobs = tuple(DecodeJob(rng.randint(200, 9000), rng.randint(3, 9), rng.randint(0, 4)) for _ in range(24))
    case = BalanceCase(jobs, Fleet.identical(Hardware("gpu", UNIT, 10**6), 4), 1)
    plan = best_placement(case, "mean_worst_gap_s", time_limit_s=0.3)
    assert plan.status == "stopped"
    assert plan.value <= score(case, greedy_placement(case)).mean_worst_gap_s * (1 + 1e-9)
    assert all(b.value <= plan.value for b in plan.bounds)
    assert plan.to_rows()[0]["status"] == "stopped"
    assert 0 <= plan.gap < 0.2
