"""Each rule decides rightly, and as often as it says."""

import math
from itertools import count

import numpy as np
import pytest
from scipy.stats import binom

from orsched.errors import InputError
from proofs_check import Claim, check
from proofs_check.rules import Always, Each, Exhaustive, Near, OnAverage, Once, Rarely

RUNS = 1_000
ONCE_IN_A_MILLION = 1e-6


def normal(mean, spread=1.0):
    """A sampler of one normal number."""
    return lambda rng: {"x": float(rng.normal(mean, spread))}


def event(probability):
    """A sampler of a violation with some probability."""
    return lambda rng: {"x": -1.0 if rng.random() < probability else 1.0}


def claim(rule, sample, inequality=lambda instance: instance["x"], **more):
    return Claim("planted", "x >= 0", "nowhere", sample, inequality, rule, **more)


TEN = [{"x": float(x)} for x in range(-2, 8)]

EACH = Each(lambda error: Rarely(0.1, error=error), 2, 2)

TRUE_AND_FALSE = {
    "always": (claim(Always(), lambda rng: {"x": float(rng.random())}), claim(Always(), event(0.05))),
    "exhaustive": (
        claim(Exhaustive(2), None, cases=lambda: TEN[2:]),
        claim(Exhaustive(2), None, cases=lambda: TEN[::-1]),
    ),
    "once": (
        claim(Once(0.99), lambda rng: {"x": abs(float(rng.normal(3)))}),
        claim(Once(0.99), lambda rng: {"x": -abs(float(rng.normal(3)))}),
    ),
    "on average": (claim(OnAverage(0.2), normal(0)), claim(OnAverage(0.2), normal(-0.2))),
    "near": (claim(Near(0.2), normal(0)), claim(Near(0.2), normal(0.2))),
    "rarely": (claim(Rarely(0.1), event(0.1)), claim(Rarely(0.1), event(0.2))),
    "each": (
        claim(EACH, lambda rng: {"system": int(rng.integers(2)), **event(0.1)(rng)}),
        claim(EACH, lambda rng: {"system": int(rng.integers(2)), **event(0.2)(rng)}),
    ),
}


@pytest.mark.parametrize("kind", TRUE_AND_FALSE)
def test_a_true_statement_holds_and_a_false_one_does_not(kind):
    """Claim: every kind of claim is found true when it is, and false with a witness and a negative slack when not."""
    true, false = TRUE_AND_FALSE[kind]
    right, wrong = check(true), check(false)
    assert (right.outcome, wrong.outcome) == ("holds", "fails")
    assert right.slack >= 0 > wrong.slack
    assert wrong.witness


@pytest.mark.parametrize("kind", TRUE_AND_FALSE)
def test_what_is_known_to_be_false_is_refuted_and_what_holds_is_not(kind):
    """Claim: a false statement that is listed as false is refuted; a true one listed as false fails."""
    true, false = (
        Claim(c.name, c.statement, c.source, c.sample, c.inequality, c.rule, known_false=True, cases=c.cases)
        for c in TRUE_AND_FALSE[kind]
    )
    assert (check(true).outcome, check(false).outcome) == ("fails", "refuted")


@pytest.mark.parametrize("kind", TRUE_AND_FALSE)
def test_a_verdict_depends_on_the_seed_only_and_quick_ones_take_fewer_draws(kind):
    """Claim: the same seed gives the same verdict, and a quick check never draws more than a full one."""
    for planted in TRUE_AND_FALSE[kind]:
        assert check(planted, seed=3) == check(planted, seed=3)
        assert check(planted, quick=True).instances <= check(planted).instances


def outcomes(rule, sample, quick=True):
    """What the rule finds on `RUNS` independent streams."""
    found = []
    for run in range(RUNS):
        rng = np.random.default_rng([run, 7])
        draws = ((instance["x"], instance) for instance in (sample(rng) for _ in count()))
        found.append(rule.decide(draws, quick).true)
    return found


def assert_at_most(wrong, error):
    """The number of wrong answers is one that a probability of at most `error` explains."""
    assert wrong <= binom.ppf(1 - ONCE_IN_A_MILLION, RUNS, error)


@pytest.mark.parametrize(
    ("rule", "true", "false"),
    [
        (OnAverage(0.3, quick_most=256, error=0.05), normal(0.0), normal(-0.3)),
        (
            OnAverage(0.3, quick_most=256, error=0.05),
            *(lambda rng, m=m: {"x": m + 1 - rng.exponential()} for m in (0, -0.3)),
        ),
        (Near(0.4, quick_most=256, error=0.05), normal(0.0), normal(0.4)),
        (Near(0.4, quick_most=256, error=0.05), normal(0.0), normal(-0.4)),
        (Rarely(0.2, error=0.05, quick_most=500), event(0.2), event(0.4)),
        (Rarely(0.02, ratio=4, error=0.05, quick_most=500), event(0.02), event(0.08)),
    ],
    ids=["on average", "on average, skew", "near above", "near below", "rarely", "rarely, rare"],
)
def test_wrong_answers_are_as_rare_as_stated(rule, true, false):
    """Claim: at the edge of what must be accepted, and of what must be caught, errors have the stated probability."""
    at_true, at_false = outcomes(rule, true), outcomes(rule, false)
    assert_at_most(at_true.count(False), rule.error)
    assert_at_most(at_false.count(True), rule.error)
    decided = len([x for x in at_true + at_false if x is not None])
    assert decided > 0.7 * 2 * RUNS


@pytest.mark.parametrize("sign", [1, -1], ids=["tail above", "tail below"])
@pytest.mark.parametrize(
    ("rule", "edges"), [(OnAverage(0.2, quick_most=512), (-0.2,)), (Near(0.2, quick_most=512), (-0.2, 0.2))]
)
def test_the_default_error_is_kept_within_a_factor_of_two_for_exponential_slacks(rule, edges, sign):
    """Claim: skewness 2, either tail: at most 2 in a thousand wrong answers where 1 is stated."""

    def exponential(mean):
        return lambda rng: {"x": mean + sign * (rng.exponential() - 1)}

    assert rule.error == 1e-3
    assert_at_most(outcomes(rule, exponential(0.0)).count(False), 2 * rule.error)
    for mean in edges:
        assert_at_most(outcomes(rule, exponential(mean)).count(True), 2 * rule.error)


def of_system(*probabilities):
    """A sampler of violations whose probability depends on the system."""

    def sample(rng):
        system = int(rng.integers(len(probabilities)))
        return {"system": system, "x": -1.0 if rng.random() < probabilities[system] else 1.0}

    return sample


def test_a_statement_about_each_system_is_not_saved_by_the_others():
    """Claim: violations in half the draws of one system of four are 12.5% in all, but are found out."""
    one_bad = of_system(0.0, 0.0, 0.5, 0.0)
    assert check(claim(Rarely(0.2), one_bad)).outcome == "holds"
    each = Each(lambda error: Rarely(0.2, error=error), 4, 2)
    verdict = check(claim(each, one_bad))
    assert (verdict.outcome, verdict.witness["system"], verdict.confidence) == ("fails", 2, 1 - 1e-3)
    assert check(claim(each, one_bad), quick=True).outcome == "holds", "the first two systems alone"
    assert check(claim(each, of_system(0.2, 0.2, 0.2, 0.0))).outcome == "holds"


def test_one_undecided_system_leaves_the_statement_undecided():
    """Claim: undecided is neither true nor false, unless another system is false."""
    each = Each(lambda error: Rarely(0.2, most=40, error=error), 2, 2)
    for probabilities, false in (((0.0, 0.3), False), ((1.0, 0.3), True)):
        draws = (((x := of_system(*probabilities)(rng))["x"], x) for rng in [np.random.default_rng(0)] for _ in count())
        assert each.decide(draws, False).true is (False if false else None)


def test_always_catches_as_often_as_it_says():
    """Claim: a statement false on 1% of the draws is caught with the confidence reported."""
    rule = Always(instances=100)
    caught = outcomes(rule, event(0.01), quick=False).count(False)
    confidence = check(claim(rule, event(0.01))).confidence
    assert confidence == pytest.approx(1 - 0.99**100)
    assert binom.ppf(ONCE_IN_A_MILLION, RUNS, confidence) <= caught
    assert caught <= binom.ppf(1 - ONCE_IN_A_MILLION, RUNS, confidence)


def test_an_exhaustive_check_is_certain_only_when_complete():
    """Claim: all cases seen: confidence 1; some of them: 0, unless these were all."""
    cases = claim(Exhaustive(quick_instances=3), None, cases=lambda: TEN[2:])
    assert (check(cases).confidence, check(cases).instances) == (1.0, 8)
    assert (check(cases, quick=True).confidence, check(cases, quick=True).instances) == (0.0, 3)
    few = claim(Exhaustive(quick_instances=8), None, cases=lambda: TEN[2:])
    assert check(few, quick=True).confidence == 1.0


def test_too_few_draws_leave_a_statement_undecided():
    """Claim: without a decision a claim fails, whether it was thought true or false."""
    for rule in (OnAverage(0.01, most=64), Near(0.01, most=64), Rarely(0.1, most=20)):
        sample = event(0.1) if isinstance(rule, Rarely) else normal(0.0)
        assert check(claim(rule, sample)).outcome == "fails"
        assert check(claim(rule, sample, known_false=True)).outcome == "fails"


def test_equal_slacks_do_not_decide_early():
    """Claim: a mean of draws that are all equal is not believed before the last look, as rare values may be missing."""
    for value in (1.0, 0.1, 0.3, -0.01, -0.19, 12345.678):
        verdict = check(claim(OnAverage(0.2, most=512), lambda rng, value=value: {"x": value}))
        assert (verdict.outcome, verdict.instances) == ("holds", 512), value
    rare = claim(OnAverage(0.1, most=4_096), lambda rng: {"x": 0.1 - 100 * (rng.random() < 0.01)})
    assert check(rare).outcome == "fails"


@pytest.mark.parametrize("rule", [Always(), OnAverage(0.1), Near(0.1), Rarely(0.1), Once(1.0)])
def test_a_slack_that_cannot_be_computed_is_a_violation(rule):
    """Claim: NaN never passes."""
    verdict = check(claim(rule, lambda rng: {"x": 1}, lambda instance: math.nan))
    assert verdict.outcome == "fails"
    assert verdict.slack < 0


def test_impossible_settings_are_refused():
    """Claim: a limit that no ratio fits, a ratio of 1, and a claim without instances or with the wrong rule."""
    for limit, ratio in ((0.0, 2.0), (0.5, 2.0), (0.1, 1.0), (math.nan, 2.0)):
        with pytest.raises(InputError, match="must be"):
            Rarely(limit, ratio)
    for sample, rule, cases in (
        (None, Always(), None),
        (normal(0), Exhaustive(1), None),
        (None, Always(), lambda: TEN),
    ):
        with pytest.raises(InputError, match="needs either sample"):
            claim(rule, sample, cases=cases)
