"""SVF's guarantee and the volume bound, by hand."""

from fractions import Fraction

import numpy as np
import pytest

from fluid.hindsight import RoundInstance, svf_starts, total_latency, volume_bound
from proofs_check.kong_svf import RUN_RATIO, guarantee, largest_share, lower_bound, published_run, waiting_within


def test_the_guarantee_of_the_published_run():
    """Claim: peaks below an eighth of the memory give 1 + 2 / 0.875 = 3.2857."""
    assert guarantee(0.125) == pytest.approx(3.2857, abs=5e-5)
    assert largest_share(published_run(np.random.default_rng(0))) <= 0.125


def test_the_published_law():
    """Claim: 200 requests, prompts 100..1999, outputs 10..499, 20,000 tokens; each path is near 1.33."""
    for seed in range(5):
        x = published_run(np.random.default_rng(seed))
        assert len(x["prompts"]) == 200
        assert 100 <= min(x["prompts"]) <= max(x["prompts"]) <= 1_999
        assert 10 <= min(x["outputs"]) <= max(x["outputs"]) <= 499
        instance = RoundInstance.of([0] * 200, x["prompts"], x["outputs"], x["M"])
        assert total_latency(instance, svf_starts(instance)) / volume_bound(instance) == pytest.approx(
            RUN_RATIO, abs=0.06
        )


def test_bounds_by_hand():
    """Claim: (1, 1), (0, 2), (0, 3) in 4 tokens: volumes 2, 3, 6, prefix sums 2 + 5 + 11 = 18, so 4.5; sum o = 6."""
    instance = RoundInstance.of([0] * 3, [1, 0, 0], [1, 2, 3], 4)
    assert volume_bound(instance) == Fraction(18, 4)
    assert lower_bound(instance) == 6


def test_waiting_by_hand():
    """Claim: twice (0, 2) in 2 tokens: the second waits 2; its room is 0, so the slack is 1 less rounding."""
    slack = waiting_within(2)({"M": 2, "prompts": [0, 0], "outputs": [2, 2]})
    # 2 * 3 ahead, (2 - 2) * 2 waited, over 6 + 1
    assert slack == pytest.approx(6 / 7)
