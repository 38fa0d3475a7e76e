"""The exact optimum of small bursts, by a method of its own."""

from hypothesis import given
from round_instances import optimum, round_instances

from fluid.hindsight import RoundInstance, simple_bound
from proofs_check.models.bursts import as_rounds, tiny_bursts, tiny_equal_prompts
from proofs_check.models.round_optimum import burst_optimum


def test_three_requests_by_hand():
    """Claim: (0, 3), (0, 3), (0, 1) in 4 tokens: the short one and a long one at once, the other at round 3 at best."""
    burst = RoundInstance.of([0, 0, 0], [0, 0, 0], [3, 3, 1], 4)
    assert burst_optimum(burst) == optimum(burst) == 9


@given(round_instances(most=5, latest=0))
def test_it_is_the_least_over_all_start_rounds(instance):
    """Claim: the same as trying every start of every request, and not below the bounds."""
    assert burst_optimum(instance) == optimum(instance) >= simple_bound(instance)


def test_tiny_bursts_are_all_there_once():
    """Claim: multisets of kinds that fit: 1 kind at M = 1, 3 at M = 2; as many as there are combinations."""
    found = [tuple(sorted(zip(x["prompts"], x["outputs"], strict=True))) for x in tiny_bursts(range(2, 3), 2)]
    assert len(found) == len(set(found)) == 3 + 6
    assert all(as_rounds(x).memory_tokens == x["M"] for x in tiny_bursts(range(1, 4), 2))


def test_equal_prompts_fill_at_most_half_the_memory():
    """Claim: one prompt length, and M >= 2 max(s + o)."""
    for x in tiny_equal_prompts(range(2, 9), 3):
        assert len(set(x["prompts"])) == 1
        assert 2 * (x["prompts"][0] + max(x["outputs"])) <= x["M"]
