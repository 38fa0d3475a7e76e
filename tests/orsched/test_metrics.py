"""Metrics are what their names say, on runs small enough to work out by hand and on random ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.errors import InputError
from orsched.metrics import METRICS, comparable, measure
from orsched.objectives import Objectives
from orsched.request import SLO
from orsched.run import Run
from orsched.statistics.quantiles import percentiles
from orsched.token_gaps import TokenGaps

BY_HAND = Run(
    policy="p",
    information="none",
    workload="w",
    fleet="f",
    arrival_s=np.array([10.0, 11.0, 12.0, 20.0]),
    input_tokens=np.array([5, 5, 5, 5]),
    output_tokens=np.array([3, 1, 5, 11]),
    first_scheduled_s=np.array([10.0, 13.0, 13.0, 21.0]),
    first_token_s=np.array([11.0, 14.0, 14.0, 22.0]),
    completion_s=np.array([15.0, 14.0, 18.0, 30.0]),
    preemptions=np.array([0, 0, 2, 0]),
    instance=np.array([0, 1, 1, 0]),
    busy_s=np.array([14.0, 5.0]),
    batch_s=np.array([14.0, 24.0]),
    kv_token_s=np.array([60.0, 40.0]),
    iterations=np.array([14, 5]),
    kv_capacity_tokens=np.array([10, 10]),
    max_num_seqs=np.array([4, 4]),
    rejected=np.zeros(4, dtype=np.int64),
    restarts=np.zeros(4, dtype=np.int64),
    migrations=np.zeros(4, dtype=np.int64),
    on_s=np.array([20.0, 20.0]),
)


def single(**columns) -> Run:
    """The run of one request by itself, from the hand-made one, with some columns replaced."""
    rows = (
        "arrival_s",
        "input_tokens",
        "output_tokens",
        "first_scheduled_s",
        "first_token_s",
        "completion_s",
    )
    first = {name: getattr(BY_HAND, name)[:1] for name in (*rows, "preemptions", "instance", "rejected")}
    return replace(BY_HAND, **(first | {name: np.array(value) for name, value in columns.items()}))


def test_by_hand():
    """Every metric of a run of four requests on two instances equals the number worked out by hand."""
    assert measure(BY_HAND, SLO(ttft_s=2.0, tpot_s=1.0)) == pytest.approx(
        {
            "latency_mean_s": (5 + 3 + 6 + 10) / 4,
            "latency_p50_s": 5.0,
            "latency_p90_s": 10.0,
            "latency_p99_s": 10.0,
            "ttft_mean_s": (1 + 3 + 2 + 2) / 4,
            "ttft_p50_s": 2.0,
            "ttft_p90_s": 3.0,
            "ttft_p99_s": 3.0,
            "tpot_mean_s": (2 + 1 + 0.8) / 3,
            "tpot_p50_s": 1.0,
            "tpot_p90_s": 2.0,
            "tpot_p99_s": 2.0,
            "itl_mean_s": (4 + 4 + 8) / (2 + 4 + 10),
            "queueing_mean_s": (0 + 2 + 1 + 1) / 4,
            "throughput_requests_per_s": 4 / 20,
            "output_throughput_tokens_per_s": 20 / 20,
            "effective_throughput_tokens_per_s": 16 / 20,
            "utilisation": 19 / 40,
            "kv_utilisation": 100 / (40 * 10),
            "batch_mean": 38 / 19,
            "preemptions_per_request": 0.5,
            "rejected_share": 0.0,
            "goodput_requests_per_s": 2 / 20,
            "slo_attainment": 0.5,
        }
    )


def test_names_and_order():
    """`measure` returns the names of METRICS in that order; SLO metrics only with an SLO, energy only where known."""
    metered = replace(BY_HAND, energy_j=np.ones_like(BY_HAND.busy_s))
    without_gaps = [name for name in METRICS if not name.startswith("itl_p")]
    assert list(measure(metered, SLO(1.0, 1.0))) == [n for n in without_gaps if not n.startswith("deadline")]
    gaps = TokenGaps(*(np.array([value]) for value in (1.0, 0.0, 16.0, 1.0)))
    late = np.array([0.0, 1.0, -1.0, 2.0])
    assert list(measure(replace(metered, token_gaps=gaps, lateness_s=late), SLO(1.0, 1.0))) == list(METRICS)
    assert list(METRICS)[-2:] == ["deadline_goodput_requests_per_s", "deadline_attainment"]
    assert list(METRICS)[-5:-2] == ["rejected_share", "goodput_requests_per_s", "slo_attainment"]
    without_slo = [name for name in without_gaps if not name.endswith("_attainment") and "goodput" not in name]
    assert list(measure(metered)) == without_slo
    assert list(measure(BY_HAND)) == [n for n in without_slo if not n.startswith(("energy", "power"))]


def test_table_is_frozen_and_consistent():
    """No one can change the table; seconds are better lower, rates better higher."""
    with pytest.raises(TypeError):
        METRICS["latency_mean_s"] = METRICS["ttft_mean_s"]
    for name, metric in METRICS.items():
        assert metric.description
        if name.endswith("_per_s"):
            assert metric.better == "higher"
        elif name.endswith("_s"):
            assert (metric.unit, metric.better) == ("s", "lower")


def test_skip_leaves_out_arrivals_from_request_metrics_only():
    """With `skip` the per-request metrics are those of the later arrivals, rates those of the whole run."""
    slo = SLO(2.0, 1.0)
    whole, later = measure(BY_HAND, slo), measure(BY_HAND, slo, skip=2)
    assert later["latency_mean_s"] == 8.0
    assert later["tpot_p50_s"] == 0.8
    assert later["itl_mean_s"] == pytest.approx(12 / 14)
    assert later["queueing_mean_s"] == 1.0
    assert later["preemptions_per_request"] == 1.0
    assert later["slo_attainment"] == 1.0
    for name in whole:
        if name.endswith("_per_s") or name in ("utilisation", "kv_utilisation", "batch_mean"):
            assert later[name] == whole[name]


@pytest.mark.parametrize("skip", [-1, 4])
def test_skip_must_leave_a_request(skip):
    """A skip outside the run is refused."""
    with pytest.raises(InputError, match="skip"):
        measure(BY_HAND, skip=skip)


def test_absent_instead_of_nan():
    """When every request has one token, times between tokens are absent, and only the TTFT limit counts."""
    run = single(output_tokens=[1], completion_s=[11.0])
    found = measure(run, SLO(1.0, 1e-9))
    assert not [name for name in found if name.startswith(("tpot", "itl"))]
    assert found["slo_attainment"] == 1.0
    assert found["effective_throughput_tokens_per_s"] == 0.0
    assert measure(run, SLO(0.5, 9.0))["slo_attainment"] == 0.0


def test_slo_limits_are_inclusive():
    """A request exactly at both limits meets its SLO; just beyond either it does not."""
    run = single()
    assert measure(run, SLO(1.0, 2.0))["slo_attainment"] == 1.0
    assert measure(run, SLO(0.999, 2.0))["slo_attainment"] == 0.0
    assert measure(run, SLO(1.0, 1.999))["slo_attainment"] == 0.0


@pytest.mark.parametrize("column", ["first_scheduled_s", "first_token_s", "completion_s"])
def test_unfinished_requests_are_refused(column):
    """A request that never got somewhere is named; no metric hides it."""
    times = getattr(BY_HAND, column).copy()
    times[2] = math.nan
    with pytest.raises(InputError, match=r"1 of 4 requests have not completed \(first: request 2\)"):
        measure(replace(BY_HAND, **{column: times}))


def test_no_time_no_rates():
    """A run without requests or without duration is refused."""
    with pytest.raises(InputError, match="makespan"):
        measure(single(first_scheduled_s=[10.0], first_token_s=[10.0], completion_s=[10.0]))
    with pytest.raises(InputError, match="without requests"):
        measure(single(**{name: [] for name in ("arrival_s", "first_token_s", "completion_s")}))


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), percent=st.integers(1, 100))
def test_percentile_is_the_smallest_that_covers(values, percent):
    """A percentile is a sample value that p% do not exceed, and no smaller sample value is."""
    found = percentiles(values, [percent])[f"p{percent}"]
    assert found in values
    assert 100 * sum(v <= found for v in values) >= percent * len(values)
    assert 100 * sum(v < found for v in values) < percent * len(values)


@pytest.mark.parametrize("values", [[], [1.0, math.nan]])
def test_percentiles_need_numbers(values):
    """No sample, no percentile."""
    with pytest.raises(InputError, match="percentiles"):
        percentiles(values)


def turned_away(row) -> Run:
    """The hand-made run, with one request rejected."""
    times = {
        name: np.where(np.arange(4) == row, np.nan, getattr(BY_HAND, name))
        for name in ("first_scheduled_s", "first_token_s", "completion_s")
    }
    return replace(BY_HAND, rejected=(np.arange(4) == row).astype(np.int64), **times)


def test_rejected_requests_count_as_missed_and_have_no_times():
    """Claim: times are those of the served, the share of the others is a metric, and goodput counts them as missed."""
    run, slo = turned_away(3), SLO(2.0, 1.0)
    found = measure(run, slo)
    assert found["rejected_share"] == 0.25
    assert found["latency_mean_s"] == pytest.approx((5 + 3 + 6) / 3)
    assert found["itl_mean_s"] == pytest.approx((4 + 4) / (2 + 4))
    assert found["slo_attainment"] == 0.25
    assert found["throughput_requests_per_s"] == pytest.approx(3 / 10)
    assert found["output_throughput_tokens_per_s"] == pytest.approx(9 / 10)


def test_who_rejects_is_not_done_sooner():
    """Claim: rates are over the time to the last arrival where that is later than the last completion."""
    assert measure(turned_away(3))["throughput_requests_per_s"] == pytest.approx(3 / (20 - 10))
    assert measure(turned_away(0))["throughput_requests_per_s"] == pytest.approx(3 / (30 - 10))


def test_nobody_served():
    """Claim: a run that rejects everybody has shares and rates, and no times."""
    none = {name: np.full(4, np.nan) for name in ("first_scheduled_s", "first_token_s", "completion_s")}
    found = measure(replace(BY_HAND, rejected=np.ones(4, dtype=np.int64), **none), SLO(1.0, 1.0))
    assert found["rejected_share"] == 1.0
    assert found["slo_attainment"] == found["throughput_requests_per_s"] == 0.0
    assert not [name for name in found if name.startswith(("latency", "ttft", "tpot", "itl", "queueing"))]


def test_what_compares_with_bounds():
    """Claim: after a rejection only the shares that count it as a miss compare with a bound."""
    served, some = measure(BY_HAND, SLO(2.0, 1.0)), measure(turned_away(1), SLO(2.0, 1.0))
    assert all(comparable(name, served) for name in served)
    assert [name for name in some if comparable(name, some)] == ["slo_attainment"]


def test_an_objective_for_each_request():
    """Claim: limits by request are those of one objective where they are equal, and apply one by one."""
    same = Objectives.same(SLO(2.0, 1.0), 4)
    assert measure(BY_HAND, same) == measure(BY_HAND, SLO(2.0, 1.0))
    each = Objectives(
        np.array([1.0, 3.0, 1.9, 2.0]), np.array([2.0, 0.1, 9.0, 0.7]), np.array([0, 0, 1, 1]), ("a", "b")
    )
    assert measure(BY_HAND, each)["slo_attainment"] == 0.5
