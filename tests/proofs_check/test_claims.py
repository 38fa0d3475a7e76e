"""The claims hold where they should, and the checker catches planted false ones."""

import json
from dataclasses import replace

import pytest
from planted_claims import PLANTED

from orsched.errors import InputError, UnknownNameError
from proofs_check import CLAIMS, check, claims_named, get_claim, registry
from proofs_check.wait.theta import theta_root


def expected(claim):
    return "refuted" if claim.known_false else "holds"


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_has_the_verdict_it_should(name):
    """Claim: a quick check finds what is true true and what is false false; its witness is plain and fits a screen."""
    verdict = check(CLAIMS[name], quick=True)
    assert verdict.outcome == expected(CLAIMS[name]), (verdict.slack, verdict.witness)
    assert len(json.dumps(verdict.witness, allow_nan=False)) < 8_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CLAIMS)
def test_claim_has_the_verdict_it_should_on_all_instances(name):
    """Claim: the full check says the same with another seed, and draws no fewer instances than the quick one."""
    verdict = check(CLAIMS[name], seed=1)
    assert verdict.outcome == expected(CLAIMS[name]), (verdict.slack, verdict.witness)
    assert verdict.instances >= check(CLAIMS[name], seed=1, quick=True).instances


@pytest.mark.parametrize("name", PLANTED)
def test_planted_false_variants_are_caught(name):
    """Claim: a wrong constant or a dropped term makes the quick check fail, with a witness."""
    planted = PLANTED[name][1](get_claim(name))
    verdict = check(planted, quick=True)
    assert verdict.outcome == "fails"
    assert verdict.slack < 0
    assert verdict.witness


def test_every_paper_has_planted_variants():
    """Claim: the test above covers every claim that is not about WAIT; the others are in test_wait_planted.py."""
    assert PLANTED.keys() >= {name for name in CLAIMS if not name.startswith("wait-")}


def test_a_claim_known_to_be_false_must_have_a_witness():
    """Claim: listing a true statement as refuted is caught."""
    assert check(replace(get_claim("wait-equilibrium-balance"), known_false=True)).outcome == "fails"


def test_no_claim_hides_another():
    """Claim: names are unique across the papers."""
    assert len(CLAIMS) == sum(len(home.CLAIMS) for home in registry._HOMES)


def test_verdicts_depend_on_the_seed():
    """Claim: another seed draws other instances; a bad one is refused."""
    claim = get_claim("guldogan-equal-bins")
    assert check(claim, seed=0).witness == check(claim, seed=0).witness != check(claim, seed=1).witness
    with pytest.raises(InputError, match="seed"):
        check(claim, seed=-1)


def test_claims_are_found_by_name_and_by_first_words():
    """Claim: a name gives its claim, first words all that begin so, and a misspelt name the one that was meant."""
    assert [claim.name for claim in claims_named("kong-svf-ratio")] == ["kong-svf-ratio"]
    kong = {claim.name for claim in claims_named("kong")}
    assert {"kong-svf-ratio", "kong-svf-ratio-to-bound"} <= kong
    assert all(name.startswith("kong-") for name in kong)
    for misspelt in ("wait-two-stability-form", "wait-two-stability-form-"):
        with pytest.raises(UnknownNameError, match="wait-two-stability-forms"):
            claims_named(misspelt)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("kon", "'kong'"),
        ("WAIT", "'wait'"),
        ("nested-wait", "'wait-nested'"),
        ("", "begin with bari, chen, "),
        ("foo", "begin with"),
    ],
)
def test_a_name_that_is_none_gets_the_nearest_in_one_line(name, nearest):
    """Claim: a misspelt first word, the wrong case, and nothing at all are answered in one line."""
    with pytest.raises(UnknownNameError) as error:
        claims_named(name)
    assert nearest in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 150


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
