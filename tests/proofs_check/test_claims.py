"""The claims hold where they should, and the checker catches planted false ones."""

from dataclasses import replace

import pytest

from orsched.errors import UnknownNameError
from proofs_check import CLAIMS, check, get_claim
from proofs_check.wait_theta import theta_root


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_claim_has_the_verdict_it_should(name):
    """Claim: every registered claim holds on its samples, and those known to be false have a witness."""
    claim = CLAIMS[name]
    verdict = check(claim)
    assert verdict.outcome == ("refuted" if claim.known_false else "holds"), (verdict.slack, verdict.witness)


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_planted_false_variants_are_caught(name):
    """Claim: shifting any inequality by more than its tightest slack makes the checker say so, with a witness."""
    claim = CLAIMS[name]
    if claim.known_false:
        planted = replace(claim, known_false=False)
    else:
        shift = max(check(claim).slack, 0.0) + 1e-3
        planted = replace(claim, inequality=lambda x: claim.inequality(x) - shift)
    verdict = check(planted)
    assert verdict.outcome == "fails"
    assert verdict.witness


def test_a_claim_known_to_be_false_must_have_a_witness():
    """Claim: listing a true statement as refuted is caught."""
    assert check(replace(get_claim("wait-equilibrium-balance"), known_false=True)).outcome == "fails"


@pytest.mark.parametrize(
    ("before", "n", "p", "root", "lower"),
    [
        (100, 60, 0.5, 0.82216, 0.8),
        (100, 55, 0.5, 0.40269, 0.4),
        (20, 8, 0.3, 0.87106, 0.8),
        (10, 5, 0.3, 1.69460, 1.6),
        (100, 35, 0.3, 0.45143, 0.4),
    ],
)
def test_theta_roots_and_lower_bounds(before, n, p, root, lower):
    """Claim: the five recomputed roots of Nested WAIT's exponent equation, to the digits given."""
    assert theta_root(before, n, p) == pytest.approx(root, abs=5e-6)
    assert 8 * (n - before * p) / before == pytest.approx(lower)


def test_unknown_claims_suggest_the_nearest():
    """Claim: a misspelt claim is answered with the name that was meant."""
    with pytest.raises(UnknownNameError, match="wait-two-stability-forms"):
        get_claim("wait-two-stability-form")
