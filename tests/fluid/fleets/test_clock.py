"""Minimum energy over the clock: optimality conditions, closed forms, and a proof nothing breaks."""

import math
import random
from dataclasses import replace
from fractions import Fraction

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.fleets.clock import Phase
from fluid.fleets.clock_certificate import _logarithm, _power, prove_power_w
from fluid.fleets.clock_energy import least_power
from fluid.fleets.clock_modes import least_power_on_list
from fluid.fleets.clock_pool import ClockPool
from fluid.programme import SolverError
from orsched.errors import InputError

PARTS = st.sampled_from([(0.02, 0.0), (0.01, 0.005), (0.0, 0.02), (0.004, 0.01)])


@st.composite
def pools(draw, most_phases=3):
    """A pool that can do its work."""
    phases = []
    for k in range(draw(st.integers(1, most_phases))):
        compute, memory = draw(PARTS)
        phase = Phase(
            name=f"phase {k}",
            iterations_per_s=draw(st.floats(1, 25)),
            compute_s=compute,
            memory_s=memory,
            beta=draw(st.sampled_from([0.0, 0.3, 0.75, 1.0])),
            static_w=draw(st.floats(60, 150)),
            dynamic_w=draw(st.floats(30, 500)),
            alpha=draw(st.sampled_from([0.0, 0.5, 1.3, 2.0])),
        )
        slack = draw(st.sampled_from([math.inf, 1.05, 1.5]))
        phases.append(replace(phase, limit_s=slack * phase.iteration_s(1.0)))
    need = sum(p.iterations_per_s * p.iteration_s(1.0) for p in phases)
    instances = math.ceil(need) + draw(st.integers(0, 1))
    return ClockPool(phases=tuple(phases), least=0.3, most=1.0, idle_w=draw(st.floats(0, 60)), instances=instances)


def lows(pool):
    return {p.name: p.slowest(pool.least) for p in pool.phases}


@settings(max_examples=15)
@given(pools())
def test_optimality_conditions(pool):
    """Primal and dual feasibility, complementary slackness and stationarity, each to its own tolerance."""
    plan = least_power(pool)
    low = lows(pool)
    assert plan.bound.certified
    assert plan.bound.value <= plan.power_w * (1 + 1e-9)
    assert plan.gap <= 1e-6
    assert pool.busy(plan.clocks) <= pool.instances
    assert plan.price_w >= 0
    slack = pool.instances - pool.busy(plan.clocks)
    assert plan.price_w * slack == pytest.approx(0, abs=1e-5 * plan.power_w)
    for phase in pool.phases:
        clock = plan.clocks[phase.name]
        assert low[phase.name] * (1 - 1e-9) <= clock <= pool.most
        assert phase.iteration_s(clock) <= phase.limit_s * (1 + 1e-9)
        slope = phase.slope_w_s(plan.price_w - pool.idle_w, clock) / phase.energy_j(clock)
        if clock > low[phase.name] * (1 + 1e-3):
            assert slope <= 5e-3
        if clock < pool.most * (1 - 1e-3):
            assert slope >= -5e-3


@settings(max_examples=15)
@given(pools(1))
def test_one_phase_closed_form(pool):
    """f* = (A b / (B (1 + a - b)))^(1/(1 + a)) with A less the idle power, moved into what limit and time allow."""
    (phase,) = pool.phases
    phase = replace(phase, memory_s=0.0, compute_s=phase.compute_s + phase.memory_s, limit_s=math.inf)
    pool = replace(pool, phases=(phase,), instances=math.ceil(phase.iterations_per_s * 0.03))
    bottom = 1 + phase.alpha - phase.beta
    static = phase.static_w - pool.idle_w
    best = (static * phase.beta / (phase.dynamic_w * bottom)) ** (1 / (1 + phase.alpha)) if bottom else math.inf
    busy = phase.iterations_per_s * phase.compute_s / pool.instances
    enough = busy ** (1 / phase.beta) if phase.beta else 0.0
    expected = min(max(best, enough, pool.least), pool.most)
    plan = least_power(pool)
    assert plan.power_w == pytest.approx(pool.mean_power_w({phase.name: expected}), rel=2e-7)
    assert plan.bound.value <= pool.mean_power_w({phase.name: expected}) * (1 + 1e-12)


@settings(max_examples=50)
@given(pools(), st.integers(0, 2**32), st.floats(0, 400))
def test_any_price_and_any_tangent_prove_a_bound(pool, seed, price):
    """No policy that changes clocks at random between iterations draws less than what anything proves."""
    rng = random.Random(seed)
    low = lows(pool)
    tangents = {p.name: rng.uniform(low[p.name], pool.most) for p in pool.phases}
    proved = float(prove_power_w(pool, price, tangents))
    for _ in range(20):
        energy, busy = 0.0, 0.0
        for p in pool.phases:
            weights = np.array([rng.random() + 1e-9 for _ in range(3)])
            clocks = [rng.choice([low[p.name], pool.most, rng.uniform(low[p.name], pool.most)]) for _ in weights]
            rates = p.iterations_per_s * weights / weights.sum()
            busy += sum(r * p.iteration_s(f) for r, f in zip(rates, clocks, strict=True))
            energy += sum(r * p.energy_j(f) for r, f in zip(rates, clocks, strict=True))
        if busy <= pool.instances:
            assert proved <= (energy + pool.idle_w * (pool.instances - busy)) * (1 + 1e-12)


@settings(max_examples=8)
@given(pools())
def test_a_list_of_clocks_costs_more_and_converges(pool):
    """LP on a grid >= convex optimum; finer nested grids cost no more; the finest is close."""
    plan = least_power(pool)
    start = max(lows(pool).values())
    values = [least_power_on_list(pool, np.linspace(start, 1.0, n).tolist()).bound.value for n in (5, 17, 257)]
    tight = replace(pool, least=start)
    optimum = least_power(tight)
    assert plan.bound.value <= optimum.power_w * (1 + 1e-9)
    for value in values:
        assert optimum.bound.value <= value * (1 + 3e-9)
    assert values[0] >= values[1] * (1 - 3e-9) >= values[2] * (1 - 6e-9)
    assert values[2] == pytest.approx(optimum.power_w, rel=1e-3)


@settings(max_examples=8)
@given(pools())
def test_agrees_with_a_model_in_iteration_times(pool):
    """The same optimum from another convex programme: iteration times as variables, power cones instead of log."""
    cost, busy, limits = 0.0, 0.0, []
    for p in pool.phases:
        static, n = p.static_w - pool.idle_w, p.iterations_per_s
        if p.compute_s == 0 or p.beta == 0:
            clock = pool.least
            cost += n * (static + p.dynamic_w * clock ** (1 + p.alpha)) * p.iteration_s(clock)
            busy += n * p.iteration_s(clock)
            continue
        stretch = cvxpy.Variable(pos=True)  # f^-beta
        e = (1 + p.alpha) / p.beta
        slow = p.slowest(pool.least) ** -p.beta
        limits += [stretch <= slow, stretch >= pool.most**-p.beta]
        time = p.memory_s + p.compute_s * stretch
        cost += n * static * time + n * p.dynamic_w * (
            p.memory_s * cvxpy.power(stretch, -e, approx=False)
            + p.compute_s * cvxpy.power(stretch, 1 - e, approx=False)
        )
        busy += n * time
    problem = cvxpy.Problem(cvxpy.Minimize(cost), [*limits, busy <= pool.instances])
    problem.solve(solver=cvxpy.CLARABEL)
    assert least_power(pool).power_w == pytest.approx(problem.value + pool.idle_w * pool.instances, rel=1e-5)


@settings(max_examples=5)
@given(pools(2))
def test_monotone(pool):
    """More work, a shorter limit or a smaller range never cost less."""

    def least(phases=pool.phases, **changes):
        return least_power(replace(pool, phases=phases, **changes)).power_w

    base, first, slack = least(), pool.phases[0], 1 + 2e-6
    rest = pool.phases[1:]
    lighter = replace(first, iterations_per_s=first.iterations_per_s / 2)
    assert least((lighter, *rest)) <= base * slack
    assert least((replace(first, limit_s=first.limit_s * 2), *rest)) <= base * slack
    assert least(least=0.2) <= base * slack
    assert least(most=1.2) <= base * slack


def test_intervals_hold_the_powers():
    """Powers with a known square or cube lie strictly inside their interval, which is 1e-39 wide."""
    low, high = _power(Fraction(2), Fraction(1, 2))
    assert low**2 < 2 < high**2
    assert high - low < Fraction(1, 10**39)
    low, high = _power(Fraction(7, 10), Fraction(-2, 3))
    assert low**3 < Fraction(100, 49) < high**3
    low, high = _logarithm(Fraction(1))
    assert low < 0 < high


DECODE = Phase(name="decode", iterations_per_s=20, compute_s=0.02, beta=1, static_w=100, dynamic_w=400, alpha=2)


def test_infeasible_in_words():
    slow = ClockPool(phases=(replace(DECODE, limit_s=0.015),), least=0.3, most=1.0, idle_w=50)
    with pytest.raises(InputError, match=r"phase 'decode' cannot keep its limit of 0.015 s: .* takes 0.02 s"):
        least_power(slow)
    busy = ClockPool(phases=(replace(DECODE, iterations_per_s=60),), least=0.3, most=1.0, idle_w=50)
    with pytest.raises(InputError, match=r"needs 1.2 instances at the highest clock .* phase 'decode'"):
        least_power(busy)


def test_bad_input_in_words():
    with pytest.raises(InputError, match=r"beta = 1\.5"):
        replace(DECODE, beta=1.5)
    with pytest.raises(InputError, match="dynamic_w = 0"):
        replace(DECODE, dynamic_w=0)
    with pytest.raises(InputError, match="does not draw less than an idle one"):
        ClockPool(phases=(DECODE,), least=0.3, most=1.0, idle_w=101)
    with pytest.raises(InputError, match="need 0 < least <= most"):
        ClockPool(phases=(DECODE,), least=1.3, most=1.0, idle_w=10)


def test_a_missing_solver_says_what_to_install():
    with pytest.raises(SolverError, match=r"NOSUCH.*pip install nosuch"):
        least_power(ClockPool(phases=(DECODE,), least=0.3, most=1.0, idle_w=50), solver="NOSUCH")


def test_rows():
    plan = least_power(ClockPool(phases=(DECODE,), least=0.3, most=1.0, idle_w=50))
    (row,) = plan.to_rows()
    assert row["clock"] == pytest.approx(0.4, rel=1e-5)
    assert row["time_share"] == pytest.approx(1.0, rel=1e-5)
    assert plan.bound.metric == "power_w"
