"""The scaling study: what is measured, common random numbers, exponents with intervals."""

from collections import deque
from functools import partial

import numpy as np
import pandas as pd
import pytest

from orsched import Fleet
from orsched.errors import InputError, UnknownNameError
from proofs_check.heavy_traffic import (
    METRICS,
    PromptType,
    critical_thresholds,
    draw_path,
    linear_hardware,
    means,
    measure,
    offered_tokens_per_s,
    scaling_study,
    serve,
    slack_thresholds,
    slope,
    study_of,
    wait_with,
)
from proofs_check.heavy_traffic.cohorts import cohort_starts, serve_cohorts
from proofs_check.heavy_traffic.losing import Losing, arrivals_first, residents_first, serve_losing
from proofs_check.heavy_traffic.paths import ArrivalPath

TOY = linear_hardware(0.88, 0.01, 12)
ONE = [PromptType(4.0, 1, 1)]
TWO = [PromptType(0.5, 1, 1), PromptType(0.3, 2, 3)]


def study_frame(values, scales):
    """A study of one metric from an array of replications by scales."""
    rows = [
        ("x", scale, scale, r, "all", "latency_mean", value)
        for r, row in enumerate(values)
        for scale, value in zip(scales, row, strict=True)
    ]
    return pd.DataFrame(rows, columns=["policy", "scale", "horizon_s", "replication", "type", "metric", "value"])


@pytest.mark.parametrize(("prompt", "decode", "volume"), [(512, 20, 10_962), (512, 50, 27_387), (512, 1000, 1_013_012)])
def test_volumes(prompt, decode, volume):
    """Claim: S = (l' + 1)(l + l'/2), the recomputed values."""
    assert PromptType(1.0, prompt, decode).volume == volume


def test_the_balanced_toy_by_hand():
    """Claim: l = l' = 1, C = 12, threshold 4, four arrivals a second in time: every full iteration takes one second,
    completes four prompts, and the memory is full."""
    arrivals = np.repeat(np.arange(8.0), 4)
    path = ArrivalPath(tuple(ONE), arrivals, np.zeros(32, dtype=np.int64))
    served = serve(path, Fleet.identical(TOY), wait_with(ONE, TOY, [4]))
    # The first iteration holds 4 tokens only, 0.92 s; the cohort of time k goes on with the one of k + 1, until 7 + 1.
    assert served.first_token_s[::4] == pytest.approx([0.92, *np.arange(2.0, 9.0)])
    assert served.completion_s[:28:4] == pytest.approx(np.arange(2.0, 9.0))
    found = measure(served, 4.0)
    assert found["all", "latency_mean"] == pytest.approx(2.0)
    assert found["all", "throughput"] == pytest.approx(12 / 4)
    assert found["0", "throughput_gap"] == pytest.approx(4 / 4)
    assert found["all", "throughput_shortfall"] == pytest.approx(4 - 3)
    assert found["all", "after_last_arrival"] == 0


def test_the_fcfs_cascade_by_hand():
    """Claim (the paper's illustration): 6 prompts at prefill and 3 at decode fill C = 12; four arrivals then evict two,
    and four complete."""
    state = Losing(12, [1] * 13, [1] * 13, arrivals_first, deque(range(3, 9)), [(r, 1) for r in range(3)])
    tokens, admitted, evicted, done = state.iterate()
    assert (tokens, len(admitted), evicted, len(done)) == (12, 6, [], 3)
    state.waiting.extend(range(9, 13))
    tokens, admitted, evicted, done = state.iterate()
    assert (tokens, len(admitted), evicted, len(done)) == (12, 4, [8, 7], 4)
    assert list(state.waiting) == [8, 7]


def test_overflow_that_loses_progress_by_hand():
    """Claim: with residents first nobody is evicted for newcomers, but growth evicts the latest admitted."""
    state = Losing(5, [1] * 5, [2] * 5, residents_first(5), deque(range(5)))
    assert state.iterate() == (5, [0, 1, 2, 3, 4], [], [])
    assert state.iterate() == (4, [], [4, 3, 2], [])
    assert state.iterate() == (5, [4, 3], [1], [0])
    assert state.residents == [(4, 1), (3, 1)]
    assert list(state.waiting) == [2, 1]


def test_losing_and_engine_agree_while_nothing_overflows():
    """Claim: with memory enough the simple server does what vLLM v1 does on the engine."""
    path = draw_path(TWO, 60.0, np.random.default_rng(0))
    simple = serve_losing(path, 1_000, 0.1, 1e-3, residents_first(1_000))
    engine = serve(path, Fleet.identical(linear_hardware(0.1, 1e-3, 1_000)), scaled_policy("vllm-v1"))
    done = np.isfinite(simple.completion_s)
    assert done.sum() > 0.9 * len(done)
    assert simple.completion_s[done] == pytest.approx(engine.completion_s[done])
    assert simple.first_token_s[done] == pytest.approx(engine.first_token_s[done])


def scaled_policy(name):
    from policies import build

    return build(name, draw_path(TWO, 60.0, np.random.default_rng(0)).workload(), Fleet.identical(TOY))


@pytest.mark.parametrize("name", ["wait", "vllm-v1", "orca"])
def test_scaling_is_a_longer_horizon(name):
    """Claim: rates times zeta and iteration times over zeta, on [0, T], give zeta times the calendar delays and the gap
    per scaled second of the unscaled system on [0, zeta T]."""
    zeta, horizon = 8.0, 20.0
    scaled = [PromptType(zeta * kind.rate_per_s, kind.prompt_tokens, kind.decode_steps) for kind in TWO]
    slow, fast = linear_hardware(0.5, 0.005, 30), linear_hardware(0.5 / zeta, 0.005 / zeta, 30)
    policy = wait_with(TWO, slow, [1, 1]) if name == "wait" else scaled_policy(name)
    paths = [draw_path(TWO, 1.2 * zeta * horizon, np.random.default_rng(3))]
    paths.append(draw_path(scaled, 1.2 * horizon, np.random.default_rng(3)))
    unscaled, calendar = (serve(p, Fleet.identical(h), policy) for p, h in zip(paths, (slow, fast), strict=True))
    long, short = measure(unscaled, zeta * horizon), measure(calendar, horizon)
    for metric in ("latency_mean", "ttft_mean"):
        assert zeta * short["all", metric] == pytest.approx(long["all", metric], rel=1e-9)
    assert short["all", "throughput_gap"] == pytest.approx(zeta * long["all", "throughput_gap"], rel=1e-9)


def test_paths_begin_alike_and_have_the_offered_rate():
    """Claim: a longer path begins with the shorter one, type by type, whatever the lengths drawn at a time."""
    short, long = (draw_path(TWO, until, np.random.default_rng(7)) for until in (500.0, 20_000.0))
    n = len(short.arrival_s)
    assert np.array_equal(short.arrival_s, long.arrival_s[:n])
    assert np.array_equal(short.kind, long.kind[:n])
    assert long.arrival_s[n] >= 500.0
    counts = np.bincount(long.kind)
    assert counts == pytest.approx([10_000, 6_000], abs=400)


def test_the_end_of_the_path_touches_nothing():
    """Claim: what is measured at a horizon does not change when arrivals go on twice as long."""
    policy = wait_with(ONE, TOY, critical_thresholds(ONE, TOY))
    found = []
    for until in (250.0, 500.0):
        served = serve(draw_path(ONE, until, np.random.default_rng(5)), Fleet.identical(TOY), policy)
        found.append(measure(served, 200.0))
    assert found[0] == found[1]
    assert found[0]["all", "after_last_arrival"] == 0
    assert measure(served, 500.0)["all", "after_last_arrival"] > 0


def test_studies_are_tidy_and_share_their_random_numbers():
    """Claim: one row per scale, replication, type and metric; another policy or more scales meet the same paths."""
    hardware = linear_hardware(0.5, 0.005, 30)
    study = partial(scaling_study, TWO, hardware, replications=3, seed=4, horizon_s=50.0)
    waiting = study(wait_with(TWO, hardware, [1, 1]), (1, 4))
    assert len(waiting) == 2 * 3 * 3 * len(METRICS)
    assert set(waiting["metric"]) == set(METRICS)
    assert set(waiting["type"]) == {"all", "0", "1"}
    assert waiting["horizon_s"].tolist() == (50.0 * waiting["scale"]).tolist()
    wider = study(wait_with(TWO, hardware, [1, 1]), (1, 4, 8))
    pd.testing.assert_frame_equal(wider[wider["scale"] < 8].reset_index(drop=True), waiting)
    offered = offered_tokens_per_s(TWO)
    for frame in (waiting, study("orca", (1, 4))):
        total = frame[frame["type"] == "all"].pivot(index=["scale", "replication"], columns="metric", values="value")
        # What arrives does not depend on the policy: throughput and gap add up to it.
        arrived = total["throughput"] + total["throughput_gap"]
        assert arrived.tolist() == pytest.approx(
            (offered - total["throughput_shortfall"] + total["throughput_gap"]).tolist()
        )
        if frame is waiting:
            reference = arrived
    assert arrived.tolist() == pytest.approx(reference.tolist())


def test_replications_differ_and_seeds_are_reproducible():
    """Claim: same seed, same numbers; another replication or seed, others."""
    run = partial(scaling_study, ONE, TOY, "vllm-v1", (1, 2), 2, horizon_s=20.0)
    pd.testing.assert_frame_equal(run(seed=1), run(seed=1))
    latency = means(run(seed=1), "latency_mean")
    assert all(found.half_width > 0 for found in latency.values())
    assert latency != means(run(seed=2), "latency_mean")


def test_cohorts_by_hand():
    """Claim: n = 2, one second an iteration: the second cohort waits for the server, the third for its prompts."""
    starts = cohort_starts(np.array([0.0, 1.0, 1.1, 1.2, 3.0, 7.0]), 2, np.ones(3))
    assert starts.tolist() == [1.0, 2.0, 7.0]


def test_slope_of_a_power_law_is_exact():
    """Claim: without noise the slope is the exponent, and the interval has no width."""
    scales = np.array([1.0, 3.0, 9.0, 27.0, 81.0])
    found = slope(study_frame(np.tile(5 * scales**-0.5, (4, 1)), scales), "latency_mean")
    assert found.mean == pytest.approx(-0.5)
    assert found.half_width == pytest.approx(0, abs=1e-12)
    assert slope(study_frame([2 * scales], scales), "latency_mean").half_width is None


@pytest.mark.parametrize("exponent", [-1.0, 0.5])
def test_slope_intervals_cover_the_exponent(exponent):
    """Claim: over 400 studies with skew noise, common to the scales of a replication in part, the 95% interval contains
    the exponent in 92% to 98%."""
    rng = np.random.default_rng(0)
    scales = np.array([1.0, 4.0, 16.0, 64.0, 256.0])
    covered = 0
    for _ in range(400):
        common, own = rng.gamma(4.0, 0.25, (30, 1)), rng.gamma(2.0, 0.5, (30, 5))
        covered += slope(study_frame(scales**exponent * common * own, scales), "latency_mean").contains(exponent)
    assert 0.92 <= covered / 400 <= 0.98


def test_slopes_refuse_what_has_none():
    """Claim: unknown metrics, one scale and means that are not positive are refused, with the reason."""
    scales = [1.0, 2.0]
    with pytest.raises(InputError, match="no metric 'delay' of type 'all'"):
        slope(study_frame([[1.0, 2.0]], scales), "delay")
    with pytest.raises(InputError, match="at least two scales"):
        slope(study_frame([[1.0]], [1.0]), "latency_mean")
    with pytest.raises(InputError, match="no logarithm"):
        slope(study_frame([[1.0, 0.0], [1.0, 0.0]], scales), "latency_mean")


def test_the_recursion_measures_what_the_engine_does():
    """Claim: a study by the recursion of WAIT's cohorts is the engine's."""
    policy = wait_with(ONE, TOY, [4])
    engine = scaling_study(ONE, TOY, policy, (1, 4), 2, 3, horizon_s=50.0)
    recursion = study_of(
        partial(serve_cohorts, threshold=4, d0=0.88, d1=0.01), ONE, "wait", (1, 4), 2, 3, horizon_s=50.0
    )
    pd.testing.assert_frame_equal(engine, recursion, rtol=1e-9)


def test_critical_and_slack_thresholds():
    """Claim: the toy is critical at 4 arrivals a second and has slack at 3; rates without whole n* are refused."""
    assert critical_thresholds(ONE, TOY) == (4,)
    assert wait_with(ONE, TOY, (4,)).settings["slack"] == pytest.approx(0, abs=1e-9)
    eased = [PromptType(3.0, 1, 1)]
    assert wait_with(eased, TOY, slack_thresholds(eased, TOY)).settings["slack"] > 0.1
    with pytest.raises(InputError, match=r"n\* of type 0 is 2\.9"):
        critical_thresholds(eased, TOY)
    with pytest.raises(InputError, match="no thresholds with slack"):
        slack_thresholds(ONE, TOY)
    with pytest.raises(InputError, match="no fluid equilibrium"):
        critical_thresholds([PromptType(40.0, 1, 1)], TOY)
    with pytest.raises(InputError, match=r"M\* = 13"):
        critical_thresholds([PromptType(4.3, 1, 1)], TOY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": ()}, "need at least one"),
        ({"scales": (1, 0)}, "positive, finite"),
        ({"scales": (1, 1)}, "given twice"),
        ({"replications": 0}, "replications = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"horizon_s": 0.0}, "horizon_s = 0.0"),
        ({"scales": (1, 10_000), "horizon_s": 1e-3}, "no arrival of type"),
    ],
)
def test_bad_studies_are_refused(change, message):
    """Claim: the field and the value are named."""
    settings = {"scales": (1, 2), "replications": 1, "seed": 0, "horizon_s": 10.0} | change
    with pytest.raises(InputError, match=message):
        scaling_study(ONE, TOY, "vllm-v1", **settings)


def test_bad_types_are_refused():
    """Claim: lengths and rates are checked; two types of the same lengths cannot be told apart."""
    with pytest.raises(InputError, match="rate_per_s"):
        PromptType(0.0, 1, 1)
    with pytest.raises(InputError, match="decode_steps = 0"):
        PromptType(1.0, 1, 0)
    with pytest.raises(InputError, match="same lengths"):
        wait_with([*ONE, *ONE], TOY, [1, 1])
    with pytest.raises(UnknownNameError, match="wait"):
        scaling_study(ONE, TOY, "wiat", (1, 2))
