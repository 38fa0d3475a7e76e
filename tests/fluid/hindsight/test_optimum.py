"""Exact methods agree with enumeration and with each other; limits and errors are honest."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from round_instances import optimum, round_instances

from fluid.hindsight import METHODS, MissingSolverError, RoundInstance, check_schedule, hindsight_optimum, total_latency
from orsched.errors import InputError

needs_ortools = pytest.mark.skipif(importlib.util.find_spec("ortools") is None, reason="OR-tools is not installed")


def drawn(seed, n, memory, latest=0):
    """A random instance of a given size."""
    rng = np.random.default_rng(seed)
    prompt = rng.integers(1, 4, n)
    return RoundInstance.of(rng.integers(0, latest + 1, n), prompt, rng.integers(1, memory - prompt + 1), memory)


def consistent(found, instance):
    """The incumbent is a valid schedule of the stated value, not below the bound, and the status says which."""
    check_schedule(instance, found.starts)
    assert total_latency(instance, found.starts) == found.value >= found.bound
    assert (found.status == "optimal") == (found.value == found.bound)
    assert found.certified == (found.bound_source in ("volume", "lagrangian"))


@settings(max_examples=12, deadline=None)
@given(round_instances())
def test_branch_and_bound_finds_the_optimum(instance):
    """HiGHS on the time-indexed programme equals enumeration."""
    found = hindsight_optimum(instance, 5.0, "highs")
    consistent(found, instance)
    assert found.status == "optimal"
    assert found.value == optimum(instance)


@settings(max_examples=8, deadline=None)
@given(round_instances(most=5, latest=0))
def test_lagrangian_never_passes_the_optimum(instance):
    """With a fifth of a second the Lagrangian bound and the search enclose the optimum."""
    found = hindsight_optimum(instance, 0.2, "lagrangian")
    consistent(found, instance)
    assert found.bound <= optimum(instance) <= found.value


@needs_ortools
def test_two_solvers_agree():
    """HiGHS and CP-SAT prove the same optimum, and the portfolio's bound does not pass it."""
    instance = drawn(1, 5, 9, latest=3)
    by_highs, by_cp = (hindsight_optimum(instance, 30.0, method) for method in ("highs", "cp-sat"))
    for found in (by_highs, by_cp):
        consistent(found, instance)
        assert found.status == "optimal"
    assert by_highs.value == by_cp.value
    assert hindsight_optimum(instance, 0.5).bound <= by_cp.value


@needs_ortools
@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=15, deadline=None)
@given(round_instances(most=5))
def test_cp_sat_finds_the_optimum(instance):
    """CP-SAT equals enumeration."""
    found = hindsight_optimum(instance, 20.0, "cp-sat")
    consistent(found, instance)
    assert found.value == optimum(instance)


@pytest.mark.slow
@pytest.mark.parametrize("latest", [0, 40])
def test_a_limit_returns_incumbent_and_bound(latest):
    """At the published size the time ends first: a valid schedule, a smaller bound, and the word for it."""
    instance = drawn(7, 45, 40, latest)
    for method in ("portfolio", "highs"):
        found = hindsight_optimum(instance, 6.0, method)
        consistent(found, instance)
        assert found.status == "stopped"


def test_errors_say_what_to_do(monkeypatch, tmp_path):
    """An unknown method, a useless limit, and a solver that is not installed."""
    instance = drawn(1, 8, 10)
    with pytest.raises(InputError, match="unknown hindsight method 'gurobi'"):
        hindsight_optimum(instance, 1.0, "gurobi")
    for limit in (0.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="time_limit_s"):
            hindsight_optimum(instance, limit)
    (tmp_path / "ortools").mkdir()
    (tmp_path / "ortools" / "__init__.py").write_text("raise ModuleNotFoundError('ortools')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MissingSolverError, match=r"orsched\[cp\]"):
        hindsight_optimum(instance, 5.0, "cp-sat")


def test_the_methods_are_named():
    """The command line offers exactly these."""
    assert set(METHODS) == {"portfolio", "lagrangian", "highs", "cp-sat"}
