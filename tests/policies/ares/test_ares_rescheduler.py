"""A pass of the rescheduler by hand and by law, on forecasts built without an engine."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import seeds

from orsched import Fleet, Group, Hardware, Link, StagedCopy
from orsched.engine.actions import Migrate
from orsched.errors import InputError
from orsched.service import Affine
from policies.ares.lengths import known
from policies.ares.migration_time import MigrationTime
from policies.ares.pairing import all_pairs, extremes
from policies.ares.pool_forecast import Horizon, PoolForecast
from policies.ares.rescheduler import Choice, Rescheduler
from policies.ares.residents import Residents

GPU = Hardware("gpu", Affine(0.01, 0.0, 0.0, 0.0), 10_000, 64, 1, kv_bytes_per_token=10.0)
STEP_S = 0.01
SHORT = Horizon(10, 2)
FREE = Link()


def residents(first, *pairs, fixed=()):
    """Requests ``first, first + 1, ...`` with (context, remaining); those in `fixed`, by place, may not move."""
    context, remaining = zip(*pairs, strict=True) if pairs else ((), ())
    return Residents(
        np.arange(first, first + len(pairs)),
        np.array(context, dtype=np.int64),
        np.array(remaining, dtype=np.float64),
        np.array([k not in fixed for k in range(len(pairs))], dtype=bool),
    )


def pool(*instances, horizon=SHORT, capacity=10_000, most=64, block=1):
    return PoolForecast(instances, horizon, block, capacity, most)


def rescheduler(horizon=SHORT, link=FREE, downtime_s=0.0, pairing=all_pairs, most=8, size=2, **more):
    fleet = Fleet((Group(GPU, size, link=link),), StagedCopy(downtime_s=downtime_s))
    return Rescheduler(horizon, known, pairing, MigrationTime.of(fleet, GPU.kv_bytes_per_token), most, **more)


def hand_made(**more):
    """Contexts 100, 300, 200 (two tokens left) against 100."""
    return pool(residents(0, (100, 50), (300, 50), (200, 2)), residents(3, (100, 50)), **more)


def test_score_and_choices_by_hand():
    """Claim: loads 600 and 100 now, 420 and 110 in ten iterations: S = 250^2 + 155^2. Request 0 takes S to
    150^2 + 45^2, 620 less per token (each of the others: 60,000 over 300 or 200 tokens), then request 2 to 50^2 + 45^2,
    and nothing else lowers it."""
    forecast = hand_made()
    assert forecast.load.score() == 250**2 + 155**2
    changes = forecast.changes(0, [1])[:, 0]
    assert changes.tolist() == [150**2 + 45**2 - 250**2 - 155**2, -60_000, -60_000]
    rule = rescheduler()
    assert rule.best(forecast, (0, 1), STEP_S) == Choice(0, 1, 0)
    assert rule.moves(forecast, (0, 1), STEP_S) == [Migrate(0, 1), Migrate(2, 1)]
    assert forecast.load.score() == 50**2 + 45**2


def test_the_number_of_moves_is_limited():
    """Claim: a pass stops after `most_moves`."""
    assert rescheduler(most=1).moves(hand_made(), (0, 1), STEP_S) == [Migrate(0, 1)]


def test_a_migration_must_be_outlived():
    """Claim: 100 tokens of 10 bytes over 5,000 bytes/s, latency 0.01 s and downtime 0.02 s take 0.23 s, 200 tokens
    0.43 s. With steps of 0.01 s request 0 stays 0.5 s and request 2 only 0.02 s: the first may go up to
    alpha = 0.5 / 0.23, the other never."""
    link = Link(5_000.0, 0.01)
    rule = rescheduler(link=link, downtime_s=0.02)
    assert rule.time.seconds(0, [1], np.array([100, 200])).ravel().tolist() == pytest.approx([0.23, 0.43])
    assert rule.moves(hand_made(), (0, 1), STEP_S) == [Migrate(0, 1)]
    least = 0.5 / 0.23
    for alpha, moves in ((least * 0.999, [Migrate(0, 1)]), (least * 1.001, [])):
        assert rescheduler(link=link, downtime_s=0.02, alpha=alpha).moves(hand_made(), (0, 1), STEP_S) == moves


def test_who_ends_now_or_moves_already_stays():
    """Claim: with links that take no time, a request with one token left is left alone, and so is a fixed one."""
    last = pool(residents(0, (100, 1), (100, 1)), residents(2, (50, 9)))
    assert rescheduler().moves(last, (0, 1), STEP_S) == []
    fixed = pool(residents(0, (100, 50), (300, 50), (200, 2), fixed=(0,)), residents(3, (100, 50)))
    assert Migrate(0, 1) not in rescheduler().moves(fixed, (0, 1), STEP_S)


def test_the_guard_by_hand():
    """Claim: request 0 would hold 120 blocks beside 120 of request 3 within 20 iterations: it goes with room for 240,
    and not with room for 239, although 202 are enough now."""
    for capacity, first in ((240, Choice(0, 1, 0)), (239, None)):
        assert rescheduler().best(hand_made(capacity=capacity), (0, 1), STEP_S) == first


def test_a_full_batch_takes_nobody():
    """Claim: an instance with as many requests as it may batch is no target."""
    assert rescheduler().best(hand_made(most=1), (0, 1), STEP_S) is None


def test_margin_and_predicted_overflow_make_sources():
    """Claim: mean loads 510 and 105, pool mean 307.5: with a margin of 0.65 of the mean the first is a source, with
    0.66 it is not, unless it is predicted to overflow: it holds up to 110 + 310 + 202 blocks."""
    assert rescheduler(margin=0.65).best(hand_made(), (0, 1), STEP_S) is not None
    assert rescheduler(margin=0.66).best(hand_made(), (0, 1), STEP_S) is None
    assert rescheduler(margin=0.66).best(hand_made(capacity=621), (0, 1), STEP_S) is not None
    assert rescheduler(margin=0.66).best(hand_made(capacity=622), (0, 1), STEP_S) is None


def test_extremes_pairs_the_most_with_the_least_loaded():
    """Claim: one source, one target, ties to the lowest number; nothing without either."""
    loads = np.array([3.0, 9.0, 9.0, 1.0, 1.0])
    assert extremes(loads, np.array([1, 2]), np.array([0, 3, 4])) == [(1, [3])]
    assert all_pairs(loads, np.array([0, 1]), np.array([0, 3])) == [(0, [3]), (1, [0, 3])]
    nobody = np.array([], dtype=int)
    assert extremes(loads, nobody, np.array([3])) == extremes(loads, np.array([1]), nobody) == []


def random_pool(seed, horizon, instances, capacity, block):
    rng = np.random.default_rng(seed)
    first, found = 0, []
    for _ in range(instances):
        size = int(rng.integers(0, 9))
        context, remaining = rng.integers(1, 400, size).tolist(), rng.integers(1, 120, size).tolist()
        pairs = zip(context, remaining, strict=True)
        found.append(residents(first, *pairs, fixed=set(np.flatnonzero(rng.random(size) < 0.2).tolist())))
        first += size
    return pool(*found, horizon=horizon, capacity=capacity, block=block, most=int(rng.integers(1, 12)))


@given(
    seeds,
    st.builds(Horizon, st.integers(1, 30), st.integers(1, 6), st.floats(0.9, 1)),
    st.integers(2, 5),
    st.integers(100, 3_000),
    st.sampled_from([1, 7, 16]),
    st.sampled_from([all_pairs, extremes]),
)
def test_a_pass_lowers_the_score_and_keeps_the_guard(seed, horizon, instances, capacity, block, pairing):
    """Claim: every move lowers S; no target ends above its capacity or its batch limit; nobody moves twice, or who may
    not; moves go from above the mean, or from a predicted overflow, to below; a pass repeated after itself is empty if
    it was not cut short."""
    forecast = random_pool(seed, horizon, instances, capacity // block, block)
    rule = rescheduler(horizon, Link(1e4, 0.01), pairing=pairing, most=100, size=instances)
    free = {int(r) for one in forecast.residents for r, may in zip(one.requests, one.movable, strict=True) if may}
    overflowing = forecast.memory.overflows()
    full = forecast.counts > forecast._most_requests
    scores, moved = [forecast.load.score()], []
    while (best := rule.best(forecast, range(instances), STEP_S)) is not None:
        loads = forecast.load.mean_load()
        assert loads[best.target] < loads.mean()
        assert loads[best.source] > loads.mean() or forecast.memory.overflows()[best.source]
        moved.append(forecast.move(*best))
        scores.append(forecast.load.score())
        assert not forecast.memory.overflows()[best.target]
        assert forecast.counts[best.target] <= forecast._most_requests
    assert all(later < earlier for earlier, later in pairwise(scores))
    assert len(set(moved)) == len(moved)
    assert set(moved) <= free
    assert not (forecast.memory.overflows() & ~overflowing).any()
    assert not ((forecast.counts > forecast._most_requests) & ~full).any()
    assert rule.moves(forecast, range(instances), STEP_S) == []


@given(seeds)
def test_extremes_never_find_a_better_first_move(seed):
    """Claim: what the cheap pairing finds, all pairs find or better it, per token moved."""
    horizon = Horizon(10, 4)
    forecast = random_pool(seed, horizon, 4, 2_000, 1)

    def worth(pairing):
        best = rescheduler(horizon, pairing=pairing, size=4).best(forecast, range(4), STEP_S)
        if best is None:
            return 0.0
        tokens = forecast.residents[best.source].context_tokens[best.resident]
        return float(forecast.changes(best.source, [best.target])[best.resident, 0] / tokens)

    assert worth(all_pairs) <= worth(extremes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rescheduler(most=0), "most_moves = 0"),
        (lambda: rescheduler(alpha=-1.0), "alpha = -1"),
        (lambda: rescheduler(margin=float("nan")), "margin = nan"),
        (lambda: Horizon(0, 3), "horizon step = 0"),
        (lambda: Horizon(3, 3, 1.5), "gamma = 1.5"),
        (lambda: MigrationTime.of(Fleet((Group(GPU, 2, link=Link(1e9)),)), None), "cannot be timed"),
    ],
)
def test_wrong_input_is_refused(make, message):
    """Claim: naming what is wrong."""
    with pytest.raises(InputError, match=message):
        make()
