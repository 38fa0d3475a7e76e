"""The exactness law for one policy on one instance."""

import numpy as np

from orsched import Fleet, Policy, Run, Workload, simulate

TIMES = ("first_scheduled_s", "first_token_s", "completion_s", "busy_s", "batch_s", "kv_token_s")


def assert_exact(workload: Workload, fleet: Fleet, policy: Policy) -> Run:
    """Everybody completes, the ledger agrees all along, and epochs of length one give the same run; returns it."""
    run = simulate(workload, fleet, policy, seed=3, check=True)
    assert np.isfinite(run.completion_s).all()
    single = simulate(workload, fleet, policy, seed=3, epoch_limit=1)
    for column in TIMES:
        np.testing.assert_allclose(getattr(run, column), getattr(single, column), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(run.preemptions, single.preemptions)
    np.testing.assert_array_equal(run.iterations, single.iterations)
    return run
