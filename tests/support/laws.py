"""The exactness law for one policy."""

import numpy as np

from orsched import Fleet, Policy, Run, Workload, simulate

TIMES = ("first_scheduled_s", "first_token_s", "completion_s", "busy_s", "batch_s", "kv_token_s")
COUNTS = ("preemptions", "iterations", "instance")


def assert_same(left: Run, right: Run) -> None:
    """Two runs agree: counts exactly, times to 1e-9."""
    for column in COUNTS:
        np.testing.assert_array_equal(getattr(left, column), getattr(right, column))
    for column in TIMES:
        np.testing.assert_allclose(getattr(left, column), getattr(right, column), rtol=1e-9, atol=1e-12)


def assert_exact(workload: Workload, fleet: Fleet, policy: Policy, seed: int = 3) -> Run:
    """Everybody completes, the ledger agrees all along, and epochs of length one give the same run; returns it."""
    run = simulate(workload, fleet, policy, seed=seed, check=True)
    assert np.isfinite(run.completion_s).all()
    assert_same(run, simulate(workload, fleet, policy, seed=seed, epoch_limit=1))
    return run
