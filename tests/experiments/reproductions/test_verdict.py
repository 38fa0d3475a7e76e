"""Verdicts on published numbers, on cases decided by hand."""

import pytest

from experiments.reproductions.verdict import (
    Outcome,
    judge_constant,
    judge_gain,
    judge_growth,
    judge_mean,
    judge_order,
)
from orsched.statistics.estimate import Estimate

YES, NO, NOT_COMPARABLE = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.NOT_COMPARABLE


def estimated(mean, half_width):
    return Estimate(mean, half_width, 20)


@pytest.mark.parametrize(
    ("published", "sd", "ours", "outcome"),
    [
        (1.85, 0.33, estimated(1.31, 0.22), YES),  # |1.85 - 1.31| = 0.54 <= 0.22 + 0.33
        (1.85, 0.33, estimated(1.31, 0.20), NO),  # 0.54 > 0.53
        (1.85, None, estimated(1.84, 0.02), YES),
        (1.85, None, estimated(1.82, 0.02), NO),
        (1.85, 0.33, estimated(1.85, 0.47), NOT_COMPARABLE),  # 0.47 is more than a quarter of 1.85
        (1.85, 0.33, estimated(1.85, None), NOT_COMPARABLE),  # one path has no interval
        (0.0, None, estimated(0.5, 0.1), NO),
    ],
)
def test_a_mean_is_reproduced_within_our_interval_widened_by_its_sd(published, sd, ours, outcome):
    """Claim: reproduced iff |published - ours| <= half-width + sd, given a half-width of at most a quarter of ours."""
    assert judge_mean(published, sd, ours).outcome is outcome


@pytest.mark.parametrize(
    ("low", "high", "ours", "outcome", "reason"),
    [
        (0.3, 0.5, estimated(0.55, 0.06), YES, ""),  # 0.49 .. 0.61 meets 0.3 .. 0.5
        (0.349, 0.349, estimated(0.30, 0.05), YES, ""),
        (0.349, 0.349, estimated(0.20, 0.05), NO, "same ordering, magnitude differs"),
        (0.02, 0.02, estimated(0.02, 0.03), NO, "ordering not shown"),  # the interval contains 0
        (0.02, 0.02, estimated(-3.0, 0.10), NO, "opposite ordering"),
    ],
)
def test_a_gain_needs_its_sign_and_its_size(low, high, ours, outcome, reason):
    """Claim: an interval that contains 0 shows no ordering, however near the published gain is to it."""
    verdict = judge_gain(low, high, ours)
    assert verdict.outcome is outcome
    assert reason in verdict.reason


def test_an_order_needs_every_pair():
    """Claim: one pair undecided or opposite spoils a published order, and is named."""
    clear, undecided, opposite = estimated(1.0, 0.5), estimated(0.2, 0.5), estimated(-1.0, 0.5)
    assert judge_order({"a and b": clear, "b and c": clear}).outcome is YES
    for other, word in ((undecided, "not shown"), (opposite, "opposite")):
        verdict = judge_order({"a and b": clear, "b and c": other})
        assert verdict.outcome is NO
        assert word in verdict.reason
        assert "b and c" in verdict.reason
        assert "a and b" not in verdict.reason


@pytest.mark.parametrize(
    ("grows", "growth", "outcome"),
    [
        (True, estimated(2.0, 1.0), YES),
        (True, estimated(0.5, 1.0), NO),
        (False, estimated(0.5, 1.0), YES),
        (False, estimated(2.0, 1.0), NO),
        (False, estimated(-2.0, 1.0), YES),
    ],
)
def test_growth_is_an_interval_above_zero(grows, growth, outcome):
    """Claim: a mean grows when the interval of the paired difference lies above zero, and only then."""
    assert judge_growth(grows, growth).outcome is outcome


def test_a_constant_is_held_to_its_rounding():
    """Claim: 74.138 with tolerance 1e-5 is met by 74.1379 and missed by 74.14."""
    assert judge_constant(74.138, 1e-5, 74.1379).outcome is YES
    assert judge_constant(74.138, 1e-5, 74.14).outcome is NO
