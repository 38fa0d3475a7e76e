"""MC-SF's formulas, and the adversaries against online algorithms, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fluid.hindsight import check_schedule, constructed, mc_sf_starts, svf_starts, total_latency
from proofs_check import check, get_claim
from proofs_check.jaillet_lower_bounds import ONLINE, equal_prompts, forced_ratio, lazy, unequal_prompts
from proofs_check.jaillet_mc_sf import formula, mc_sf_latency, mc_sf_within, ratio_to_constructed
from proofs_check.models.bursts import as_rounds
from proofs_check.models.round_optimum import burst_optimum

SIX = {"M": 6, "prompts": [0] * 6, "outputs": [2, 2, 2, 3, 3, 3]}


def test_the_formulas_by_hand():
    """Claim: s = 1, o = (1, 1, 3), M = 8: volumes 2 and 9; 2 (2 * 2) + 1 (4 + 9) = 21 and sum o = 5."""
    x = {"M": 8, "prompts": [1, 1, 1], "outputs": [1, 3, 1]}
    assert formula(x, 1, 0) == pytest.approx(21 / 8)
    assert formula(x, 0, 1) == 5
    assert formula(x, 1536, 24) == pytest.approx(1536 * 21 / 8 + 24 * 5)


def test_the_worst_tiny_burst_with_equal_prompts():
    """Claim: MC-SF has 24 and the optimum 21 on six requests in 6 tokens: 8/7, the largest ratio of those tried."""
    assert (mc_sf_latency(SIX), burst_optimum(as_rounds(SIX))) == (24, 21)


def test_the_constructed_schedule_is_a_schedule():
    """Claim: what refutes the published mean passes the check, and is never worse than MC-SF."""
    instance = as_rounds(SIX)
    check_schedule(instance, constructed(instance))
    assert ratio_to_constructed(SIX) == total_latency(instance, mc_sf_starts(instance)) / total_latency(
        instance, constructed(instance)
    )
    assert ratio_to_constructed(SIX) >= 1


@pytest.mark.parametrize("memory", [2, 3, 8])
@pytest.mark.parametrize("start", [0, 1, 8, 9])
def test_the_first_adversary_is_as_its_proof_says(memory, start):
    """Claim: 3 M^2 + 1 requests; the good schedule is valid and has at most 3 M^2 + 5 M."""
    instance, good = equal_prompts(memory, start)
    check_schedule(instance, good)
    assert len(instance) == 3 * memory**2 + 1
    assert total_latency(instance, good) <= 3 * memory**2 + 5 * memory
    assert (instance.prompt_tokens == 0).all()


@pytest.mark.parametrize("length", [2, 3, 8])
@pytest.mark.parametrize("start", [0, 1, 6, 7, 30])
def test_the_second_adversary_is_as_its_proof_says(length, start):
    """Claim: L + 1 requests; the good schedule is valid and has at most 3 L."""
    instance, good = unequal_prompts(length, start)
    check_schedule(instance, good)
    assert len(instance) == length + 1
    assert total_latency(instance, good) <= 3 * length


def test_the_ratio_of_mc_sf_grows_like_the_root_of_n():
    """Claim: log ratio over log n has a slope within 0.06 of 1/2, to which it rises; at least sqrt(n / 27)."""
    ratios, sizes = zip(*(forced_ratio(equal_prompts, mc_sf_starts, memory) for memory in (8, 16, 32)), strict=True)
    slope = np.polyfit(np.log(sizes), np.log(ratios), 1)[0]
    assert 0.44 < slope < 0.5
    assert ratios[-1] / np.sqrt(sizes[-1]) >= 27**-0.5


def test_a_lazy_rule_is_met_where_it_starts():
    """Claim: waiting does not help: the adversary sends the short ones after the long one has begun, at round 5."""
    assert int(lazy(5)(equal_prompts(4, 5)[0])[0]) == 5
    for rule in ONLINE.values():
        assert forced_ratio(unequal_prompts, rule, 8)[0] >= 3


def test_a_rule_that_looks_ahead_is_no_online_rule():
    """Claim: an algorithm that knows the arrivals is refused instead of being called online."""

    def clairvoyant(instance):
        starts = svf_starts(instance)
        starts[0] = 0 if len(instance) == 1 else 5
        return starts

    with pytest.raises(AssertionError, match="cannot know"):
        forced_ratio(unequal_prompts, clairvoyant, 3)


@pytest.mark.parametrize(("volumes", "outputs"), [(1536, 0), (0, 24)])
def test_both_terms_of_the_upper_formula_are_needed(volumes, outputs):
    """Claim: without either the full check finds a violation."""
    claim = get_claim("jaillet-mc-sf-upper-formula")
    assert check(replace(claim, inequality=mc_sf_within(volumes, outputs))).outcome == "fails"
