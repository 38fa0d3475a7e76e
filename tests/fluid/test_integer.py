"""Mixed-integer programmes: exact on tiny ones, honest about limits, clear about conflicts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.branch_and_bound import IntegerSolution, conflict, relaxation_bound, solve_integer
from fluid.integer import Draft
from orsched.errors import InputError

small = st.integers(-4, 6)


@st.composite
def programmes(draw):
    """Two or three whole variables in 0..3, a few rows; may be infeasible."""
    draft = Draft()
    columns = [
        draft.column(f"x{j}", cost=float(draw(small)), upper=3.0, whole=True) for j in range(draw(st.integers(1, 3)))
    ]
    for r in range(draw(st.integers(1, 3))):
        low = draw(st.integers(-4, 8))
        terms = {c: float(draw(small)) for c in columns}
        draft.row(f"r{r}", terms, low=low, high=draw(st.sampled_from([low, low + 3, np.inf])))
    return draft.programme()


def exhaustive(programme):
    points = (np.array(p, float) for p in itertools.product(range(4), repeat=len(programme.columns)))
    return min((float(programme.objective @ x) for x in points if programme.violation(x) <= 1e-9), default=None)


@settings(max_examples=60)
@given(programmes())
def test_branch_and_bound_equals_exhaustive_search(programme):
    """Relaxation <= dual bound <= optimum = incumbent; infeasible exactly where no point is feasible."""
    best, found = exhaustive(programme), solve_integer(programme)
    proved = relaxation_bound(programme)
    if best is None:
        assert found.status == "infeasible"
        assert conflict(programme)
        return
    assert found.status == "optimal"
    assert found.value == pytest.approx(best, abs=1e-6)
    assert found.bound <= best + 1e-6
    assert proved <= best + 1e-9
    assert found.gap <= 1e-5 or abs(best) < 1e-3
    assert programme.violation(found.primal) <= 1e-9


@settings(max_examples=25)
@given(programmes().filter(lambda p: exhaustive(p) is None))
def test_conflicts_are_irreducible(programme):
    """The named rows alone are infeasible, and without any one of them they are not."""
    named = conflict(programme)

    def feasible(rows):
        keep = np.array([name in rows for name in programme.rows])
        points = (np.array(p, float) for p in itertools.product(range(4), repeat=len(programme.columns)))
        part = programme.matrix.toarray()[keep]
        low, high = programme.low[keep], programme.high[keep]
        return any((part @ x >= low - 1e-9).all() and (part @ x <= high + 1e-9).all() for x in points)

    assert not feasible(named)
    assert all(feasible([r for r in named if r != dropped]) for dropped in named)


def test_a_start_is_used_and_an_unbounded_programme_named():
    draft = Draft()
    x = draft.column("x", cost=1.0, upper=10.0, whole=True)
    draft.row("enough", {x: 2.0}, low=3.0)
    assert solve_integer(draft.programme(), start=np.array([5.0])).value == 2.0
    draft.charge(draft.column("free", whole=True), -1.0)
    assert solve_integer(draft.programme()).status == "unbounded"


def test_a_linear_programme_has_its_optimum_as_bound():
    draft = Draft()
    x = draft.column("x", cost=1.0, upper=10.0)
    draft.row("enough", [(x, 1.0), (x, 1.0)], low=3.0)
    found = solve_integer(draft.programme())
    assert (found.value, found.bound, found.gap) == (1.5, 1.5, 0.0)
    assert draft.programme().violation(np.array([1.0])) == pytest.approx(1 / 3)


def test_gap_needs_both_ends():
    assert IntegerSolution("stopped", None, None, 3.0).gap is None
    assert IntegerSolution("stopped", 4.0, np.zeros(1), 3.0).gap == 0.25


def test_infinite_coefficients_are_refused():
    draft = Draft()
    x = draft.column("x")
    draft.row("bad", {x: np.inf}, high=1.0)
    with pytest.raises(InputError, match="must be finite"):
        draft.programme()
