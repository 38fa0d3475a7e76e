"""The system in the engine: exactness, conservation under faults, determinism, and what its forecasts are for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import seeds

from orsched import Fleet, Group, Hardware, Link, StagedCopy, Workload, simulate
from orsched.errors import InputError
from orsched.faults import InstanceFault, LinkFault
from orsched.policy import Information
from orsched.service import Affine
from policies.ares import SYSTEMS, AresLikeSettings, ares_like
from policies.predictors.flat import Flat
from policies.predictors.oracle import Oracle

FORECASTS = ("none", "freeness", "current", "predicted", "oracle")


def random_case(rng):
    """A workload and a fleet with prefill and decode instances, short of memory."""
    n, block = int(rng.integers(5, 60)), int(rng.choice([1, 7, 16]))
    work = Workload.of(rng.exponential(0.05, n).cumsum(), rng.integers(1, 60, n), rng.integers(1, 90, n))
    longest = int((work.input_tokens + work.output_tokens).max())
    capacity = int(longest * rng.uniform(1.1, 5)) // block * block + block
    gpu = Hardware("gpu", Affine(0.01, 1e-4, 1e-3, 1e-5), capacity, int(rng.integers(2, 12)), block)
    gpu = replace(gpu, kv_bytes_per_token=1000.0, keeps_preempted_kv=bool(rng.integers(2)))

    def link():
        return Link(float(rng.choice([np.inf, 1e5, 1e6, 1e7])), float(rng.choice([0, 0.003])))

    groups = [Group(gpu, int(rng.integers(1, 3)), "prefill", link=link())]
    groups += [Group(gpu, int(rng.integers(1, 4)), "decode", link=link()) for _ in range(2)]
    copy = StagedCopy(int(rng.integers(0, 4)), int(rng.integers(0, 20)), float(rng.choice([0, 0.005])))
    return work, Fleet(tuple(groups), copy)


def random_settings(rng, forecast):
    placements = ["least-kv", "in-turn", *(["least-forecast"] if forecast not in ("none", "freeness") else [])]
    return AresLikeSettings(
        forecast=forecast,
        period_s=float(rng.uniform(0.02, 0.3)),
        horizon_steps=int(rng.integers(1, 9)),
        gamma=float(rng.choice([0.9, 1.0])),
        alpha=float(rng.choice([0.0, 1.0, 3.0])),
        margin=float(rng.choice([0.0, 0.2])),
        pairs=str(rng.choice(["all", "extremes"])),
        placement=str(rng.choice(placements)),
    )


def random_faults(rng, work, fleet):
    last_s = float(work.arrival_s[-1])
    dies = [
        InstanceFault(float(rng.uniform(0, 1.5 * last_s)), int(rng.integers(fleet.size)), float(rng.uniform(0.05, 1)))
        for _ in range(int(rng.integers(0, 3)))
    ]
    slow = LinkFault(float(rng.uniform(0, last_s)), int(rng.integers(fleet.size)), 0.3, float(rng.choice([0, 0.1])))
    return [*dies, slow]


@settings(max_examples=25)
@given(seeds, st.sampled_from(FORECASTS))
def test_token_by_token_is_the_same_run_and_nothing_is_lost(seed, forecast):
    """Claim: for random fleets, links, copies, settings and faults, epochs of one iteration give the same run to 1e-8;
    every request completes with all of its tokens, and the KV ledgers agree throughout."""
    rng = np.random.default_rng(seed)
    work, fleet = random_case(rng)
    policy = ares_like(work, fleet, random_settings(rng, forecast))
    faults = random_faults(rng, work, fleet)
    run = simulate(work, fleet, policy, 1, faults=faults, check=True, token_gaps=True)
    assert np.isfinite(run.completion_s).all()
    assert run.token_gaps.tokens == (run.output_tokens - 1).sum()
    assert run.token_gaps.total_s == pytest.approx((run.completion_s - run.first_token_s).sum())
    single = simulate(work, fleet, policy, 1, faults=faults, epoch_limit=1)
    np.testing.assert_allclose(single.completion_s, run.completion_s, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(single.migrations, run.migrations)


def lopsided(repeats=6):
    """Long and short answers by turns, handed to two decode instances by turns: all long ones on the first."""
    n = 2 * repeats
    work = Workload.of(np.arange(n) * 0.02, np.full(n, 20), np.tile([600, 40], repeats))
    gpu = Hardware("gpu", Affine(0.01, 1e-5, 1e-4, 1e-6), 40_000, 64, kv_bytes_per_token=1000.0)
    link = Link(1e8, 0.001)
    return work, Fleet((Group(gpu, 1, "prefill", link=link), Group(gpu, 2, "decode", link=link)), StagedCopy())


def imbalance(run):
    """Mean spread of the KV tokens of the decode instances."""
    tokens = run.log.samples.kv_tokens[:, 1:]
    return float((tokens.max(axis=1) - tokens.min(axis=1)).mean())


def test_forecasts_balance_what_was_bound_blindly():
    """Claim: with every long answer on one instance, rescheduling of any kind halves the spread of KV tokens at least,
    and the last request is done sooner; without it nobody migrates, nor by freeness while memory is ample."""
    work, fleet = lopsided()
    runs = {
        forecast: simulate(
            work,
            fleet,
            ares_like(work, fleet, AresLikeSettings(forecast=forecast, placement="in-turn", period_s=0.05)),
            1,
            sample_every_s=0.05,
        )
        for forecast in FORECASTS
    }
    spread = {forecast: imbalance(run) for forecast, run in runs.items()}
    assert max(spread[name] for name in FORECASTS[2:]) < spread["none"] / 2
    assert runs["none"].migrations.sum() == runs["freeness"].migrations.sum() == 0
    for name in FORECASTS[2:]:
        assert runs[name].migrations.sum() > 0
        assert runs[name].completion_s.max() < runs["none"].completion_s.max()


def test_the_same_seed_gives_the_same_run():
    """Claim: also with predictions drawn at random; another seed draws others."""
    work, fleet = random_case(np.random.default_rng(3))
    policy = ares_like(work, fleet, AresLikeSettings(period_s=0.05))
    first, again = (simulate(work, fleet, policy, 7) for _ in range(2))
    np.testing.assert_array_equal(first.completion_s, again.completion_s)
    np.testing.assert_array_equal(first.migrations, again.migrations)


def test_freeness_acts_on_the_decode_instances_when_memory_runs_out():
    """Claim: with memory for little more than half of the long answers on one instance, Llumnix's pass moves some,
    among decode instances only, and fewer requests are preempted."""
    work, fleet = lopsided()
    tight = replace(fleet.groups[0].hardware, kv_capacity_tokens=2_400)
    fleet = replace(fleet, groups=tuple(replace(group, hardware=tight) for group in fleet.groups))
    runs = {
        name: simulate(
            work, fleet, ares_like(work, fleet, AresLikeSettings(forecast=name, placement="in-turn", period_s=0.05))
        )
        for name in ("none", "freeness")
    }
    assert runs["freeness"].migrations.sum() > 0
    assert set(runs["freeness"].instance.tolist()) <= {1, 2}
    assert runs["freeness"].preemptions.sum() < runs["none"].preemptions.sum()


def test_perfect_predictions_are_the_oracle():
    """Claim: `predicted` with the oracle as predictor decides as `oracle` does."""
    work, fleet = lopsided()
    predicted = ares_like(work, fleet, AresLikeSettings(period_s=0.05, placement="in-turn")).predicted_by(Oracle())
    oracle = ares_like(work, fleet, AresLikeSettings(forecast="oracle", period_s=0.05, placement="in-turn"))
    one, other = (simulate(work, fleet, policy, 1) for policy in (predicted, oracle))
    np.testing.assert_array_equal(one.completion_s, other.completion_s)
    assert one.migrations.sum() > 0


def test_information_and_settings_are_declared():
    """Claim: each forecast declares what it knows; settings and horizon are printed; another predictor takes the place
    of the built-in one; none and current use no lengths."""
    work, fleet = lopsided()
    known = {name: ares_like(work, fleet, AresLikeSettings(forecast=name)) for name in FORECASTS}
    assert [policy.information for policy in known.values()] == [
        Information.NONE,
        Information.NONE,
        Information.NONE,
        Information.PREDICTED,
        Information.ORACLE,
    ]
    assert known["none"].control is None
    assert known["predicted"].settings["horizon"] == [40.0 * k for k in range(8)]
    assert known["predicted"].settings["predictor"] == "refreshed:20:0.5"
    assert known["predicted"].predicted_by(Flat()).settings["predictor"] == "flat:20"
    assert known["current"].settings["horizon"] == [0.0]
    with pytest.raises(InputError, match="uses no output lengths"):
        known["current"].predicted_by(Flat())


def test_the_decode_instance_with_the_least_forecast_is_chosen():
    """Claim: with the oracle, a prompt goes where residents are about to end, though more tokens are cached there."""
    work = Workload.of([0.0, 0.3, 0.6], [500, 100, 50], [60, 900, 50])
    fleet = lopsided()[1]
    oracle = AresLikeSettings(forecast="oracle", placement="least-forecast", period_s=100.0)
    current = replace(oracle, placement="least-kv")
    assert simulate(work, fleet, ares_like(work, fleet, oracle)).instance.tolist() == [1, 2, 1]
    assert simulate(work, fleet, ares_like(work, fleet, current)).instance.tolist() == [1, 2, 2]


GPU = Hardware("gpu", Affine(0.01, 0.0, 0.0, 1e-6), 1_000)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AresLikeSettings(period_s=0.0), "period_s = 0"),
        (lambda: AresLikeSettings(horizon_steps=0), "horizon_steps = 0"),
        (lambda: AresLikeSettings(horizon_tokens=0), "horizon_tokens = 0"),
        (lambda: AresLikeSettings(gamma=0.0), "gamma = 0"),
        (lambda: AresLikeSettings(alpha=-1.0), "alpha = -1"),
        (lambda: AresLikeSettings(margin=-0.1), "margin = -0.1"),
        (lambda: AresLikeSettings(most_moves=0), "most_moves = 0"),
        (lambda: AresLikeSettings(forecast="nothing"), "forecast = 'nothing'"),
        (lambda: AresLikeSettings(pairs="some"), "pairs = 'some'"),
        (lambda: AresLikeSettings(router="jsk"), "did you mean 'jsq'"),
        (lambda: AresLikeSettings(batcher="vllm-v9"), "did you mean 'vllm-v"),
        (lambda: AresLikeSettings(forecast="none", placement="least-forecast"), "goes by a forecast"),
        (lambda: ares_like(lopsided()[0], Fleet.identical(GPU, 3), AresLikeSettings()), "no decode instances"),
        (
            lambda: ares_like(
                lopsided()[0],
                Fleet((Group(GPU, 1, "prefill"), Group(GPU, 1, "decode"), Group(replace(GPU, name="b"), 1, "decode"))),
                AresLikeSettings(),
            ),
            "differ in hardware",
        ),
        (
            lambda: ares_like(
                lopsided()[0],
                Fleet((Group(GPU, 1, "prefill", link=Link(1e9)), Group(GPU, 2, "decode"))),
                AresLikeSettings(),
            ),
            "cannot be timed",
        ),
    ],
)
def test_wrong_input_is_refused(make, message):
    """Claim: naming what is wrong."""
    with pytest.raises(InputError, match=message):
        make()


def test_the_system_is_registered():
    """Claim: one system, built from its defaults."""
    (system,) = SYSTEMS
    work, fleet = lopsided()
    assert system.build(work, fleet, system.settings()).name == system.name == "ares-like"
