"""The grid search over caps: the same budget for every policy, and never on the paths of the results."""

from dataclasses import replace

import numpy as np
import pytest
from reproductions import POINTS, small_sweep

from experiments.paths.streams import Stream
from experiments.reproductions.sampling import sample
from experiments.reproductions.sweep import Family
from experiments.reproductions.tuning import MOST_REQUESTS, tune
from orsched.errors import InputError


def counted(family, runs):
    """The family, noting the cap and the requests of every simulation that its policies run."""

    def capped(cap, law, fleet):
        policy = family.capped(cap, law, fleet)
        seen = set()

        def batch(view):
            if id(view) not in seen:
                seen.add(id(view))
                runs.append((cap, view))  # the view is kept, so that no later one has its id
            return policy.batch(view)

        return replace(policy, batch=batch)

    return Family(family.name, capped)


def test_every_policy_gets_the_same_budget():
    """Claim: each family is simulated on every tuning path at every cap of the one grid, and nothing more."""
    sweep = small_sweep()
    for family in sweep.families:
        runs = []
        tuned = tune(sweep, counted(family, runs), POINTS[1], 0.4, seed=3)
        assert [cap for cap, _ in runs] == [21, 21, 42, 42]
        assert [cap for cap, _ in tuned.curve] == [21, 42]
        means = dict(tuned.curve)
        assert means[tuned.cap] == min(means.values())


def test_tuning_paths_are_others_and_not_too_long():
    """Claim: a tuning path differs from the path of the same replication in the results, and paths depend on the rate
    by their scale of time only; a shorter one is the beginning of a longer one."""
    sweep, point = small_sweep(), POINTS[0]
    tuning, result = (sample(sweep, point, stream, 0, seed=3) for stream in (Stream.TUNING, Stream.WORKLOAD))
    assert not np.isclose(tuning.arrival_s, result.arrival_s).any()
    faster = sample(sweep, replace(point, rate_per_s=8.0), Stream.WORKLOAD, 0, seed=3)
    assert faster.arrival_s == pytest.approx(result.arrival_s / 2)
    longer = sample(sweep, replace(point, requests=90), Stream.WORKLOAD, 0, seed=3)
    assert (longer.arrival_s[:60] == result.arrival_s).all()
    assert max(p.requests for p in POINTS) <= MOST_REQUESTS


def test_a_family_without_any_setting_says_why():
    """Claim: a cap that gives no policy counts in the grid; when none does, there is no cap but a reason."""

    def never(cap, law, fleet):
        raise InputError(f"cap {cap}: not for me")

    tuned = tune(small_sweep(), Family("never", never), POINTS[0], 0.2, seed=3)
    assert tuned.cap is None
    assert tuned.curve == ((21, None), (42, None))
    assert tuned.reason == "cap 42: not for me"
