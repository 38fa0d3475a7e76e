"""Multi-bin batching by hand."""

import math

import numpy as np
import pytest

from proofs_check.guldogan_multi_bin import (
    TABLE,
    _forming,
    batch_time,
    equal_bins_slack,
    in_table,
    mean_batch_time,
    our_wait,
    printed_wait,
)


def test_batch_times_by_hand():
    """Claim: two of [0, 3] last 2 on average in one bin; in two bins 2.5/2 + ... = 0.5 (1 + 2.5) = 1.75."""
    assert batch_time(1, 2, 0, 3) == pytest.approx(2)
    assert batch_time(2, 2, 0, 3) == pytest.approx(1.75)
    assert mean_batch_time([0, 1.5, 3], 2) == pytest.approx(1.75)
    assert batch_time(math.inf, 2, 0, 3) == 1.5


def test_the_limit_is_12_190_and_not_12_3():
    """Claim: 2 * 128 / 21 = 12.190; the note's 12.3 is off by 0.11."""
    assert TABLE[math.inf] == pytest.approx(256 / 21, abs=5e-4)
    assert in_table(TABLE)({"k": None}) > 0 > in_table(TABLE | {math.inf: 12.3})({"k": None})


def test_unequal_bins_are_worse():
    """Claim: edges 0, 1, 3 in place of 0, 1.5, 3: (1/3) 2/3 + (2/3) 7/3 = 16/9 over 7/4."""
    assert equal_bins_slack({"k": 2, "B": 2, "low": 0, "high": 3, "shares": [1 / 3]}) == pytest.approx(
        16 / 9 / 1.75 - 1
    )


def test_waits_by_hand():
    """Claim: 3 bins, batches of 5, 2 requests per second: 3 * 4 / 4 = 3 s; printed, in 1/lambda: 4 / 6 / 2 = 1/3 s."""
    x = {"k": 3, "B": 5, "rate": 2.0}
    assert our_wait(x) == pytest.approx(3)
    assert printed_wait(x) == pytest.approx(1 / 3)


def test_a_forming_batch_has_as_many_members_as_it_should_in_order_of_arrival():
    """Claim: B ascending times, at about k / lambda apart."""
    rng = np.random.default_rng(1)
    gaps = []
    for _ in range(300):
        x = _forming(rng)
        assert len(x["arrivals"]) == x["B"]
        assert x["arrivals"] == sorted(x["arrivals"])
        gaps.extend(np.diff(x["arrivals"]) * x["rate"] / x["k"])
    assert np.mean(gaps) == pytest.approx(1, abs=0.1)
