"""The mode LP: optimal, certified, monotone, and clear about why it has no optimum."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fluid import certify
from fluid.modes import (
    CAPACITY,
    COST,
    MEAN_NUMBER,
    POWER,
    Mode,
    ModeTable,
    Objective,
    Requirements,
    mode_lp,
    mode_programme,
    most,
    solve_by_columns,
)
from fluid.modes.programme import priced_out
from orsched.errors import InputError

OBJECTIVES = (CAPACITY, MEAN_NUMBER, POWER, COST, most("side"))

rates = st.sampled_from([0.0, 0.5, 1.0, 3.0, 20.0])
modes = st.lists(
    st.builds(
        lambda chip, a, b, side, present, power, cost: Mode(
            "mode", 0.1, {"a": a, "b": b, "side": side}, chip, present=present, power_w=power, cost_per_h=cost
        ),
        st.sampled_from(["slow", "fast"]),
        rates,
        rates,
        rates,
        st.integers(0, 20).map(float),
        st.floats(1, 500),
        st.floats(0.1, 5),
    ),
    min_size=1,
    max_size=12,
).map(
    lambda drawn: [
        *drawn,
        Mode("all", 0.2, {"a": 1.0, "b": 1.0, "side": 0.5}, "slow", present=9.0, power_w=300.0, cost_per_h=1.0),
        Mode("idle", 0.2, {}, "fast", present=0.0, power_w=50.0, cost_per_h=1.0),
    ]
)
demands = st.fixed_dictionaries({"a": st.floats(0.1, 2), "b": st.floats(0.1, 2)})
counts = st.fixed_dictionaries({"slow": st.floats(2.0, 6), "fast": st.floats(0.5, 6)})


def needs_of(demand, instances):
    return Requirements(demand, instances, {"fast": 0.5}, {"power_w": 5000.0})


def solved(modes, needs, objective, **changes):
    return mode_lp(
        modes,
        needs.demand,
        objective,
        instances=needs.instances,
        always_on=needs.always_on,
        limits=needs.limits,
        **changes,
    )


@settings(max_examples=60)
@given(modes, demands, counts, st.sampled_from(OBJECTIVES))
def test_optimality_conditions(modes, demand, instances, objective):
    """Stationarity, primal and dual feasibility and complementary slackness hold, and the certificate is tight."""
    needs = needs_of(demand, instances)
    table = ModeTable.of(modes)
    lp = mode_programme(table, needs, objective)
    solution = solve_by_columns(lp)
    x, y = solution.primal, priced_out(lp, table, solution.duals)
    scale = 1 + np.abs(lp.matrix) @ np.abs(x)
    slack = lp.rhs - lp.matrix @ x
    reduced = lp.objective - y @ lp.matrix
    limited = np.isfinite(lp.upper)
    assert (x >= -1e-9).all()
    assert (slack >= -1e-6 * scale).all()
    assert (y >= 0).all()
    assert (reduced[:-1] <= 1e-9 * (1 + y.max())).all()
    assert np.abs(y * slack).max() <= 1e-6 * (1 + abs(solution.value))
    assert np.abs(x[:-1] * reduced[:-1]).max() <= 1e-6 * (1 + abs(solution.value))
    assert limited[:-1].all()
    proved = float(certify(lp, y))
    assert proved == pytest.approx(solution.value, rel=1e-6, abs=1e-9)


@settings(max_examples=30)
@given(modes, demands, counts, st.sampled_from(OBJECTIVES))
def test_equals_an_independent_model(modes, demand, instances, objective):
    """cvxpy writes the programme from the formulas; both optima agree, and the bound lies on the right side."""
    found = solved(modes, needs_of(demand, instances), objective)
    pi, s = cvxpy.Variable(len(modes), nonneg=True), cvxpy.Variable(nonneg=True)

    def total(rate):
        return np.array([rate(m) for m in modes]) @ pi

    factor = s if objective == CAPACITY else 1.0
    limits = [total(lambda m, p=p: m.produces.get(p, 0.0)) >= factor * demand[p] for p in demand]
    limits += [total(lambda m, c=c: float(m.chip == c)) <= instances[c] for c in instances]
    limits += [total(lambda m: float(m.chip == "fast")) >= 0.5, total(lambda m: m.power_w) <= 5000]
    goals = {
        CAPACITY: s,
        MEAN_NUMBER: -total(lambda m: m.present),
        POWER: -total(lambda m: m.power_w),
        COST: -total(lambda m: m.cost_per_h),
        most("side"): total(lambda m: m.produces.get("side", 0.0)),
    }
    other = cvxpy.Problem(cvxpy.Maximize(goals[objective]), limits)
    value = other.solve(solver=cvxpy.HIGHS)
    sign = 1 if objective.sense == "upper" else -1
    assert found.value == pytest.approx(sign * value, rel=1e-6, abs=1e-7)
    assert found.bound.value == pytest.approx(sign * value, rel=1e-6, abs=1e-7)
    assert sign * found.bound.value >= sign * found.value - 1e-7 * abs(found.value)
    assert found.bound.certified
    assert found.bound.sense == objective.sense
    achieved = sum(share * m.produces.get("a", 0.0) for m, share in found.mix)
    assert achieved >= (found.multiplier if objective == CAPACITY else 1.0) * demand["a"] * (1 - 1e-6)


@settings(max_examples=30)
@given(modes, demands, counts, st.sampled_from(OBJECTIVES), st.integers(0, 5))
def test_more_choice_is_never_worse(modes, demand, instances, objective, gone):
    """Offering more modes or more instances, or asking for less, only improves the optimum."""
    needs = needs_of(demand, instances)
    sign = 1 if objective.sense == "upper" else -1
    base = sign * solved(modes[min(gone, len(modes) - 2) :], needs, objective).bound.value
    slack = 1e-6 * (1 + abs(base))
    assert sign * solved(modes, needs, objective).bound.value >= base - slack
    more = needs_of(demand, {chip: count + 1 for chip, count in instances.items()})
    assert sign * solved(modes, more, objective).bound.value >= base - slack
    less = needs_of({p: rate / 2 for p, rate in demand.items()}, instances)
    assert sign * solved(modes, less, objective).bound.value >= base - slack


def test_prices_say_what_demand_and_instances_are_worth():
    """The price of a row is the derivative of the optimum with respect to its right-hand side."""
    modes = [Mode("p", 0.1, {"prompt": 1000.0}, present=1.0), Mode("d", 0.02, {"decode": 500.0}, present=10.0)]
    plan = mode_lp(modes, {"prompt": 400, "decode": 200}, MEAN_NUMBER, instances={"instance": 1})
    assert plan.value == pytest.approx(4.4)
    assert {mode.label: share for mode, share in plan.mix} == pytest.approx({"p": 0.4, "d": 0.4})
    assert plan.prices["demand prompt"] == pytest.approx(-0.4)
    assert plan.prices["demand decode"] == pytest.approx(-4.0)
    assert plan.prices["instances instance"] == pytest.approx(0)


def test_unlimited_instances_have_a_least_cost():
    """A kind without a count is bought as needed; the dual is certified without a bound on its modes."""
    modes = [
        Mode("big", 0.1, {"a": 10.0, "b": 3.0}, "h100", cost_per_h=4.0),
        Mode("small", 0.1, {"a": 3.0, "b": 2.0}, "l4", cost_per_h=1.0),
    ]
    plan = mode_lp(modes, {"a": 30, "b": 12}, COST, instances={})
    other = linprog([4, 1], A_ub=[[-10, -3], [-3, -2]], b_ub=[-30, -12])
    assert plan.bound.value == pytest.approx(other.fun, rel=1e-8)
    assert plan.bound.value <= other.fun


def test_limits_and_idling():
    """A power cap binds through its own row; an idle mode says what being on without work costs."""
    modes = [Mode("run", 0.1, {"a": 10.0}, power_w=400.0), Mode("idle", 0.1, power_w=100.0)]
    capped = mode_lp(modes, {"a": 1}, CAPACITY, instances={"instance": 4}, limits={"power_w": 800})
    assert capped.value == pytest.approx(20)
    for goal, best in ((CAPACITY, 20), (most("a"), 20), (most("b"), 190)):
        bought = mode_lp(
            [*modes, Mode("other", 0.1, {"b": 100.0}, power_w=400.0)],
            {"a": 1},
            goal,
            instances={},
            limits={"power_w": 800},
        )
        assert bought.bound.value == pytest.approx(best)
    idle = mode_lp(modes, {"a": 10}, POWER, instances={"instance": 4}, always_on={"instance": 4})
    assert idle.value == pytest.approx(400 + 3 * 100)
    assert mode_lp(modes, {"a": 10}, POWER, instances={"instance": 4}).value == pytest.approx(400)


def test_any_quantity_or_product_is_an_objective():
    """Nothing in the programme knows the names of products."""
    modes = [Mode("x", 0.1, {"a": 1.0, "heat": 3.0}), Mode("y", 0.1, {"a": 1.0, "heat": 2.0})]
    assert mode_lp(modes, {"a": 1}, Objective("heat", "lower"), instances={"instance": 2}).value == pytest.approx(2)
    assert mode_lp(modes, {"a": 1}, most("heat"), instances={"instance": 2}).value == pytest.approx(6)


def many(seed, n=6000):
    rng = np.random.default_rng(seed)
    made = {p: rng.uniform(0, 10, n) * (rng.random(n) < 0.3) for p in "abcd"}
    size = sum(made.values())
    known = {"present": size * rng.uniform(0.5, 1, n), "power_w": 100 + size**2}
    return ModeTable([f"m{j}" for j in range(n)], ("gpu",), np.zeros(n, np.int64), np.ones(n), made, known)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", [CAPACITY, MEAN_NUMBER, POWER, most("a")])
def test_generated_columns_reach_the_optimum_over_all(seed, objective):
    """Showing the solver few columns gives the optimum of all, and the certificate covers all."""
    needs = Requirements(dict.fromkeys("abcd", 3.0), {"gpu": 2.0})
    lp = mode_programme(many(seed), needs, objective)
    other = linprog(-lp.objective, lp.matrix, lp.rhs, bounds=[(0, None if np.isinf(u) else u) for u in lp.upper])
    plan = mode_lp(many(seed), needs.demand, objective, instances=needs.instances)
    sign = 1 if objective.sense == "upper" else -1
    assert sign * plan.bound.value == pytest.approx(-other.fun, rel=1e-6)
    assert plan.bound.certificate["modes"] == 6000


def test_time_limit_returns_a_labelled_bound():
    """A solver without time still leaves a bound: what its dual, or no dual at all, proves."""
    plan = mode_lp(many(0), dict.fromkeys("abcd", 3.0), MEAN_NUMBER, instances={"gpu": 2.0}, time_limit_s=1e-9)
    full = mode_lp(many(0), dict.fromkeys("abcd", 3.0), MEAN_NUMBER, instances={"gpu": 2.0})
    assert plan.status == plan.bound.certificate["status"] == "stopped"
    assert plan.bound.value <= full.value
    assert plan.value is None or plan.value >= full.value * (1 - 1e-6)


RUN = [Mode("p", 0.1, {"prompt": 1000.0}, power_w=300.0), Mode("d", 0.02, {"decode": 500.0}, power_w=200.0)]


def test_infeasible_names_demand_and_limit():
    with pytest.raises(InputError, match=r"at most 0\.625 of the demand; short of .*limited by 0.5 instances of 'inst"):
        mode_lp(RUN, {"prompt": 400, "decode": 200}, POWER, instances={"instance": 0.5})
    with pytest.raises(InputError, match=r"at most 0\.5 of the demand.*limited by power_w <= 100"):
        mode_lp(RUN, {"prompt": 400, "decode": 200}, POWER, instances={"instance": 5}, limits={"power_w": 100})
    on = {"instance": 2.0}
    with pytest.raises(InputError, match=r"2 instance always on against power_w <= 100 \(at least 400 is used\)"):
        mode_lp(RUN, {"decode": 200}, POWER, instances=on, always_on=on, limits={"power_w": 100})
    with pytest.raises(InputError, match="no mode produces 'side'"):
        mode_lp([Mode("m", 1.0, {"side": 0.0})], {"side": 1.0}, CAPACITY, instances={"instance": 1})
    with pytest.raises(InputError, match=r"of the demand.*'d'"):
        mode_lp(many(0), dict.fromkeys("abcd", 300.0), POWER, instances={"gpu": 2.0})


def test_unbounded_names_the_kind_without_a_count():
    with pytest.raises(InputError, match=r"nothing limits 'decode', .* of 'instance' is not limited"):
        mode_lp(RUN, {"prompt": 1}, most("decode"), instances={})
    with pytest.raises(InputError, match="nothing limits 'multiplier'"):
        mode_lp(RUN, {"prompt": 1}, CAPACITY, instances={})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mode("m", 0.0), "iteration_s"),
        (lambda: Mode("m", 1.0, {"a": -1.0}), "a = -1.0"),
        (lambda: Mode("m", 1.0, {"present": 1.0}), "is a quantity"),
        (lambda: ModeTable.of([]), "at least one mode"),
        (lambda: mode_lp(RUN, {}, CAPACITY, instances={"instance": 1}), "needs a demand"),
        (lambda: mode_lp(RUN, {"promt": 1}, POWER, instances={"instance": 1}), "did you mean 'prompt'"),
        (
            lambda: mode_lp(RUN, {"prompt": 1}, COST, instances={"instance": 1}),
            "cost_per_h is not given",
        ),
        (lambda: mode_lp(RUN, {"prompt": 0}, POWER, instances={"instance": 1}), "finite and > 0"),
        (lambda: mode_lp(RUN, {"prompt": 1}, POWER, instances={"instanse": 1}), "did you mean 'instance'"),
        (lambda: mode_lp(RUN, {"prompt": 1}, POWER, instances={"instance": -1}), ">= 0"),
        (
            lambda: mode_lp(RUN, {"prompt": 1}, POWER, instances={"instance": 1}, always_on={"instance": 2}),
            "exceeds instances",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    """One line that names the field, the value and what is allowed."""
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.slow
def test_a_hundred_thousand_modes():
    """Solved by generated columns and certified over all of them."""
    plan = mode_lp(many(0, 100_000), dict.fromkeys("abcd", 3.0), MEAN_NUMBER, instances={"gpu": 2.0})
    assert plan.bound.value == pytest.approx(plan.value, rel=1e-6)
