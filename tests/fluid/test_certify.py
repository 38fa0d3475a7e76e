"""A certificate is never fooled: wrong duals give a loose bound or an error, never a wrong bound."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from fluid import CertificateError, LinearProgramme, SolverError, certify, solve
from orsched.errors import InputError

small = st.integers(-4, 6).map(float) | st.floats(-3, 5, width=32)


@st.composite
def programmes(draw):
    """A bounded feasible programme (x = 0 is feasible)."""
    n, r = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    table = np.array(draw(st.lists(st.lists(small, min_size=n, max_size=n), min_size=r, max_size=r)))
    cost = np.array(draw(st.lists(small, min_size=n, max_size=n)))
    rhs = np.array(draw(st.lists(st.floats(0, 9, width=32), min_size=r, max_size=r)))
    upper = np.array(draw(st.lists(st.floats(0, 4, width=32), min_size=n, max_size=n)))
    return LinearProgramme(cost, table, rhs, upper, tuple(f"r{k}" for k in range(r)))


def optimum(lp):
    bounds = [(0, None if np.isinf(u) else u) for u in lp.upper]
    return -linprog(-lp.objective, lp.matrix, lp.rhs, bounds=bounds, method="highs").fun


@given(programmes(), st.data())
def test_any_dual_gives_a_valid_bound(lp, data):
    """Weak duality, for multipliers drawn from anywhere."""
    duals = np.array(data.draw(st.lists(st.floats(-10, 10), min_size=len(lp.rhs), max_size=len(lp.rhs))))
    assert float(certify(lp, duals)) >= optimum(lp) - 1e-9


@given(programmes())
def test_solver_and_certificate_agree(lp):
    """Strong duality: what HiGHS claims through PuLP is what its dual proves, and what scipy finds."""
    solution = solve(lp)
    assert solution.status == "optimal"
    proved = certify(lp, solution.duals, solution.value if abs(solution.value) > 1e-6 else None)
    assert float(proved) == pytest.approx(optimum(lp), rel=1e-7, abs=1e-7)
    assert (lp.matrix @ solution.primal <= lp.rhs + 1e-6).all()


def exact(lp, y):
    """The dual objective by textbook fractions, for y >= 0."""
    y = [Fraction(v) for v in y]
    value = sum(a * Fraction(b) for a, b in zip(y, lp.rhs.tolist(), strict=True))
    for j, (c, u) in enumerate(zip(lp.objective.tolist(), lp.upper.tolist(), strict=True)):
        reduced = Fraction(c) - sum(a * Fraction(k) for a, k in zip(y, lp.matrix[:, j].tolist(), strict=True))
        value += max(reduced, Fraction(0)) * Fraction(u)
    return value


@given(programmes(), st.data())
def test_integer_evaluation_is_exact(lp, data):
    """Equal to the last bit to the sum of fractions, for multipliers of moderate size."""
    y = data.draw(st.lists(st.floats(0, 8, width=32), min_size=len(lp.rhs), max_size=len(lp.rhs)))
    y = [v if v > 1e-6 else 0.0 for v in y]
    assert certify(lp, np.array(y)) == exact(lp, y)


KNAPSACK = LinearProgramme(
    np.array([3.0, 2.0, 0.0]),
    np.array([[1.0, 2.0, 1.0], [1.0, 1.0, -2.0]]),
    np.array([4.0, 0.0]),
    np.array([5.0, 5.0, np.inf]),
    ("time", "memory"),
)
"""maximise 3x + 2y: x + 2y + n <= 4, x + y <= 2n, n >= 0 without upper bound."""


def test_repair_of_an_unbounded_column():
    """Multipliers that let the unbounded column pay are repaired exactly, not refused."""
    best = solve(KNAPSACK)
    assert best.value == pytest.approx(8.0)
    assert certify(KNAPSACK, best.duals, best.value) == pytest.approx(8.0)
    wrong = certify(KNAPSACK, np.array([0.0, 5.0]))  # n would pay 10 a unit: the time row is raised to 10
    assert wrong == 40
    assert certify(KNAPSACK, best.duals * (1 - 1e-9)) >= 8


def test_sloppy_duals_are_tightened_not_trusted():
    noisy = np.array([2.0 + 1e-8, 1.0 - 1e-8])
    assert 8 <= certify(KNAPSACK, noisy) <= 8 + Fraction(1, 10**6)


@pytest.mark.parametrize("claim", [7.99, 8.01, float("nan"), float("inf"), -8.0])
def test_a_wrong_primal_claim_is_refused(claim):
    with pytest.raises(CertificateError, match="claims"):
        certify(KNAPSACK, solve(KNAPSACK).duals, claim)


@pytest.mark.parametrize("duals", [[1.0], [np.nan, 1.0], [np.inf, 0.0], [[2.0, 1.0]]])
def test_what_is_no_dual_is_refused(duals):
    with pytest.raises(CertificateError, match="needs 2 finite entries"):
        certify(KNAPSACK, np.array(duals))


def test_a_dual_that_proves_nothing_is_refused():
    """An unbounded programme has no dual at all."""
    lp = LinearProgramme(np.array([1.0]), np.array([[-1.0]]), np.array([1.0]), np.array([np.inf]), ("r",))
    with pytest.raises(CertificateError, match="proves nothing"):
        certify(lp, np.array([3.0]))
    assert solve(lp).status == "unbounded"
    assert solve(lp).duals is None


def test_infeasible_is_said():
    lp = LinearProgramme(np.array([1.0]), np.array([[1.0]]), np.array([-1.0]), np.array([1.0]), ("r",))
    assert solve(lp).status == "infeasible"


def test_a_solver_that_stops_early_says_so_and_still_proves():
    """Whatever a stopped solver's dual is, certify makes a valid bound of it; no value is made up."""
    rng = np.random.default_rng(0)
    n = 20_000
    table = np.vstack([rng.uniform(0.01, 1, n), rng.uniform(0.01, 1, n), rng.uniform(0.01, 1, n)])
    lp = LinearProgramme(rng.uniform(0.01, 1, n), table, np.array([900.0, 1000, 1100]), np.ones(n), ("a", "b", "c"))
    full = solve(lp)
    early = solve(lp, time_limit_s=0.0)
    assert full.status == "optimal"
    assert early.status == "stopped"
    assert float(certify(lp, early.duals)) >= full.value
    if early.primal is not None:
        assert early.value <= full.value * (1 + 1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"rhs": np.ones(3)},
        {"upper": np.array([1.0, -1, 1])},
        {"objective": np.array([1.0, np.nan, 0])},
        {"rows": ("a",)},
    ],
)
def test_a_malformed_programme_is_refused(change):
    parts = {name: getattr(KNAPSACK, name) for name in ("objective", "matrix", "rhs", "upper", "rows")}
    with pytest.raises(InputError, match="linear programme"):
        LinearProgramme(**(parts | change))


def test_solver_error_is_one_of_ours():
    from orsched.errors import OrschedError

    assert issubclass(SolverError, OrschedError)
    assert issubclass(CertificateError, OrschedError)
