"""No schedule keeps more cumulative deadlines than the pathwise bound, with one objective or several."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE

from fluid.pathwise.goodput import deadline_goodput_bounds, goodput_bounds
from orsched.bound import best_bound
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.request import SLO, RequestClass
from orsched.service import Affine
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule


def most(workload, fleet, objectives, bounds=deadline_goodput_bounds):
    return bounds(workload, fleet, objectives)[0].certificate["on_time"]


def keep_ends(workload, first, done, objectives):
    """Requests whose first and last token keep their deadlines; who keeps all of them is among these."""
    due = workload.arrival_s + objectives.life_s(workload.output_tokens)
    return (first <= workload.arrival_s + objectives.ttft_s) & (done <= due)


def drawn(rng, workload, first, done):
    """Two classes of objectives, such that some requests just keep theirs."""
    classes = rng.integers(0, 2, len(workload))
    limits = np.empty((2, 2))
    for k in range(2):
        row = int(rng.integers(0, len(workload)))
        ttft = (first - workload.arrival_s)[row] * rng.choice([1.0, 1.5])
        late = (done - workload.arrival_s)[row] - ttft
        limits[k] = ttft, max(late / max(workload.output_tokens[row] - 1, 1), 1e-6)
    return Objectives(limits[classes, 0] * (1 + 1e-12), limits[classes, 1] * (1 + 1e-12), classes, ("a", "b"))


def check(instance, seed):
    workload, fleet = instance
    first, done = random_schedule(workload, fleet, seed)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        objectives = drawn(rng, workload, first, done)
        kept = keep_ends(workload, first, done, objectives)
        share, rate = deadline_goodput_bounds(workload, fleet, objectives)
        assert share.value >= kept.mean()
        assert rate.value >= kept.sum() / (done.max() - workload.arrival_s[0])
        mean_tpot = (done - first) <= objectives.tpot_s * (workload.output_tokens - 1)
        assert goodput_bounds(workload, fleet, objectives)[0].value >= (kept & mean_tpot).mean()


@settings(max_examples=25, deadline=None)
@given(instances(), st.integers(0, 2**32))
def test_no_random_schedule_keeps_more_deadlines(instance, seed):
    """Claim: with two objectives, the first and last deadlines kept by a random schedule are within both bounds."""
    check(instance, seed)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(instances(), st.integers(0, 2**32))
def test_no_random_schedule_keeps_more_deadlines_at_length(instance, seed):
    """Claim: the same, on many more."""
    check(instance, seed)


def path(n=400, seed=4):
    rng = np.random.default_rng(seed)
    classes = (RequestClass("chat", SLO(0.4, 0.02)), RequestClass("batch", SLO(4.0, 0.1)))
    return Workload.of(
        np.cumsum(rng.exponential(0.05, n)),
        rng.integers(50, 951, n),
        rng.integers(20, 481, n),
        class_id=rng.integers(0, 2, n),
        classes=classes,
    )


def test_one_objective_is_that_of_all():
    """Claim: the same objective for every class gives the bound of one objective."""
    fleet, work, slo = Fleet.identical(REFERENCE), path(), SLO(0.4, 0.02)
    same = Objectives.same(slo, len(work))
    for bounds in (goodput_bounds, deadline_goodput_bounds):
        assert most(work, fleet, slo, bounds) == most(work, fleet, same, bounds)


def test_a_mix_lies_between_its_parts_and_deadlines_above_means():
    """Claim: two objectives allow more requests than the tighter for all, fewer than the looser; deadlines allow at
    least what means do when the prefill is short beside TTFT."""
    fleet, work = Fleet.identical(REFERENCE), path()
    both = Objectives.of(work)
    tight, loose = (Objectives.same(one.slo, len(work)) for one in work.classes)
    for bounds in (goodput_bounds, deadline_goodput_bounds):
        counts = [most(work, fleet, one, bounds) for one in (tight, both, loose)]
        assert counts == sorted(counts)
        assert counts[0] < counts[1]
    assert most(work, fleet, tight) >= most(work, fleet, tight, goodput_bounds)


def test_an_early_first_token_makes_the_difference():
    """Claim: iterations of 1 s, TTFT 10 s and TPOT 0.95 s: all deadlines are kept, no mean is."""
    slow = Fleet.identical(Hardware("slow", Affine(1.0, 0.0, 0.0, 0.0), 1000, 4))
    work = Workload.of([0.0, 50.0], [1, 1], [11, 11])
    slo = SLO(10.0, 0.95)
    assert most(work, slow, slo) == 2
    assert most(work, slow, slo, goodput_bounds) == 0
    assert most(work, slow, SLO(1.4, 0.95)) == 0


def test_names():
    """Claim: the bounds are on the metrics of cumulative deadlines, certified and pathwise."""
    found = deadline_goodput_bounds(path(20), Fleet.identical(REFERENCE), SLO(1.0, 0.05))
    assert [b.metric for b in found] == ["deadline_attainment", "deadline_goodput_requests_per_s"]
    assert all(b.certified and b.validity == "pathwise" for b in found)
    assert best_bound(found, "deadline_attainment").value <= 1
