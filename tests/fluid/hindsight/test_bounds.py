"""Every lower bound is at most the optimum by enumeration, whatever the multipliers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_instances import optimum, random_starts, round_instances

from fluid.branch_and_bound import solve_integer
from fluid.hindsight import (
    RoundInstance,
    check_schedule,
    length_bound,
    mc_sf_starts,
    simple_bound,
    total_latency,
    volume_bound,
)
from fluid.hindsight.automaton import memory_automaton
from fluid.hindsight.initial import initial_multipliers
from fluid.hindsight.lagrangian import Ascent, Multipliers, lagrangian_bound
from fluid.hindsight.pools import Pools, latest_starts
from fluid.hindsight.prices import UNITS, price_bound, start_costs
from fluid.hindsight.relaxed_path import Memory
from fluid.hindsight.time_indexed import TimeIndexed, relaxation_prices

seeds = st.integers(0, 2**32 - 1)


def memories(pools, tokens):
    """One request remembered, two, and two before round 3."""
    one, two = (memory_automaton(pools, tokens, depth) for depth in (1, 2))
    return (Memory.one(one), Memory.one(two), Memory(two, one, 3))


@settings(max_examples=40, deadline=None)
@given(round_instances(), seeds)
def test_volume_bounds_hold(instance, seed):
    """Volume and length bounds <= optimum <= MC-SF and any random schedule."""
    best = optimum(instance)
    assert max(volume_bound(instance), length_bound(instance)) <= simple_bound(instance) <= best
    assert best <= total_latency(instance, mc_sf_starts(instance))
    assert best <= total_latency(instance, random_starts(instance, seed))


@settings(max_examples=40, deadline=None)
@given(round_instances(), seeds)
def test_any_prices_prove_a_bound(instance, seed):
    """Random memory prices and request prices, of any size, never prove more than the optimum."""
    rng = np.random.default_rng(seed)
    pools = Pools.of(instance)
    best = optimum(instance)
    constant = int((instance.output_tokens - instance.arrival_rounds).sum())
    scale = 10 ** rng.uniform(-2, 2)
    prices = rng.exponential(scale, rng.integers(1, 12))
    whole = np.rint(prices * UNITS).astype(np.int64)
    assert price_bound(instance, pools, whole) <= (best - constant) * UNITS
    earned = rng.exponential(10 ** rng.uniform(0, 2), len(pools))
    for memory in memories(pools, instance.memory_tokens):
        bound, path = lagrangian_bound(instance, pools, memory, Multipliers(earned, prices))
        assert bound <= best
        costs = start_costs(pools, whole, int(earned.max()) + 2) - np.rint(earned * UNITS).astype(np.int64)[:, None]
        assert path.cost == sum(costs[pool, t] for t, pool in path.starts)


@settings(max_examples=12, deadline=None)
@given(round_instances(most=4))
def test_chain_of_bounds(instance):
    """Linear relaxation, and the Lagrangian bounds climbed from it, up to the optimum."""
    pools = Pools.of(instance)
    best = optimum(instance)
    timed = TimeIndexed.of(instance)
    relaxed = -(-price_bound(instance, pools, relaxation_prices(timed)) // UNITS) + timed.constant
    solved = solve_integer(timed.programme())
    assert relaxed <= best == round(solved.value) + timed.constant
    starts = timed.starts(solved.primal)
    check_schedule(instance, starts)
    assert total_latency(instance, starts) == best
    ascent = Ascent(instance, pools, best)
    for begin in initial_multipliers(instance, pools, starts):
        for memory in memories(pools, instance.memory_tokens):
            climbed = ascent.climb(memory, begin, 0.5, 0.02)
            assert climbed.value <= best
            assert climbed.value >= lagrangian_bound(instance, pools, memory, begin)[0]
            assert lagrangian_bound(instance, pools, memory, climbed.multipliers)[0] == climbed.value


@settings(max_examples=40, deadline=None)
@given(round_instances(most=8), seeds)
def test_automata_accept_every_feasible_schedule(instance, seed):
    """Followed through a feasible schedule, with the starts of a round in any order, no start is refused."""
    starts = random_starts(instance, seed)
    rng = np.random.default_rng(seed)
    pools = Pools.of(instance)
    for depth in (1, 2, 3):
        automaton = memory_automaton(pools, instance.memory_tokens, depth)
        state = 0
        for t in range(int(starts.max()) + 1):
            for request in rng.permutation(np.flatnonzero(starts == t)).tolist():
                state = automaton.start(int(pools.pool_of[request]), state)
                assert state is not None
            state = int(automaton.advance[state])


def test_an_automaton_refuses_what_two_cannot_hold():
    """Two requests of peak 4 in 6 tokens, started in the same round, hold 8: refused; three rounds apart: allowed."""
    pools = Pools.of(RoundInstance.of([0, 0], [1, 1], [3, 3], 6))
    automaton = memory_automaton(pools, 6, 1)
    state = automaton.start(0, 0)
    assert automaton.start(0, state) is None
    for _ in range(2):
        state = int(automaton.advance[state])
    assert automaton.start(0, state) is not None


@settings(max_examples=40, deadline=None)
@given(round_instances())
def test_optima_start_within_the_columns(instance):
    """Some optimum uses only the starts that `latest_starts` allows: restricting to them loses nothing."""
    pools = Pools.of(instance)
    narrow = solve_integer(TimeIndexed.of(instance).programme())
    wide = solve_integer(TimeIndexed.until(instance, pools, latest_starts(instance, pools) + 6).programme())
    assert narrow.value == pytest.approx(wide.value)
