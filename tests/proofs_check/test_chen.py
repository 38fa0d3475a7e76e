"""A_max and A_min's expressions and closed forms."""

import numpy as np
import pytest

from proofs_check.chen_intervals import (
    a_max_total,
    a_min_total,
    log_expression,
    lower_expression,
    rounds_of,
    two_lengths_slack,
    upper_expression,
)


def test_expressions_by_hand():
    """Claim: both are 1 at alpha = 1; at 1/4 they are 4 (1 + 2) / 2 = 6 and 4 (1 + 4) / 2 = 10."""
    assert (lower_expression(1), upper_expression(1), log_expression(1)) == (1, 1, 1)
    assert (lower_expression(0.25), upper_expression(0.25), log_expression(0.25)) == (6, 10, 3)


def test_two_lengths_by_hand():
    """Claim: l = 1, u = 2, M = 4, K = 2: two long and four short ones; A_max 2*2 + 2*3 + 2*4, H-SF 4*1 + 2*3."""
    x = {"l": 1, "u": 2, "M": 4, "prompt": 0, "outputs": [2, 2, 1, 1, 1, 1], "batches": {"long": 1, "short": 1}}
    assert a_max_total(rounds_of(x), 1, 2) == 18
    assert two_lengths_slack(x) == 0


@pytest.mark.parametrize(("alpha", "largest"), [(1 / 2, 2.431), (1 / 4, 5.519), (1 / 16, 24.781), (1 / 64, 102.4)])
def test_two_lengths_reach_the_published_lower_expression_at_one_half_only(alpha, largest):
    """Claim: over all mixes the limit of the closed forms is at most `largest`, about 1.6 / alpha."""
    mixes = np.linspace(0, 500, 200_001)
    ratio = (1 + 2 * mixes + alpha * mixes**2) / (1 + 2 * mixes * alpha**2 + alpha**2 * mixes**2)
    assert ratio.max() == pytest.approx(largest, abs=5e-4)
    assert (ratio.max() > lower_expression(alpha)) == (alpha == 1 / 2)


@pytest.mark.parametrize("total", [a_max_total, a_min_total])
def test_exact_intervals_need_no_prediction(total):
    """Claim: with l = u both are shortest first: of three requests of 2 tokens in 5 the third starts a round later."""
    assert total(rounds_of({"M": 5, "prompt": 0, "outputs": [2, 2, 2]}), 2, 2) == 2 + 2 + 3
