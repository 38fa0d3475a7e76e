"""Policies survive predictions that are wrong."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from instances import build, edge_of_memory, random_workload, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Fleet, Hardware, Information, Workload, simulate
from orsched.errors import InputError
from orsched.prediction import Predictions
from orsched.service import Affine
from policies import RECIPES
from policies.predictors import Empirical, Interval, Noise, Oracle, build_predictor

KNOWING = sorted(name for name, recipe in RECIPES.items() if recipe.information > Information.NONE)
TOLD_THE_TRUTH = [name for name in KNOWING if RECIPES[name].information is not Information.PREDICTED]
PREDICTORS = (Noise(1.0), Noise(0.3), Interval(0.2), Empirical("multi_cls"))


class Constant:
    """Predicts the same length for everybody."""

    name = "constant"

    def __init__(self, tokens):
        self.tokens = tokens

    def __call__(self, workload, rng, /):
        return Predictions.of(np.full(len(workload), self.tokens))


@pytest.mark.parametrize("name", KNOWING)
@settings(max_examples=25)
@given(services, seeds, st.sampled_from([1, 16]), st.sampled_from(PREDICTORS))
def test_wrong_predictions_lose_nobody_and_keep_the_exactness_law(name, service, seed, block, predictor):
    """Claim: every policy that uses output lengths completes every request with predictions that are wrong both ways,
    where memory and seats bind, and epochs of length one give the same run to 1e-9."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    policy = build(name, workload, fleet)
    assume(policy is not None)
    assert_exact(workload, fleet, policy.predicted_by(predictor))


@pytest.mark.parametrize("name", KNOWING)
@pytest.mark.parametrize("tokens", [1, 10**9])
@settings(max_examples=8, suppress_health_check=[HealthCheck.filter_too_much])
@given(seed=seeds)
def test_predictions_of_one_token_and_of_any_number(name, tokens, seed):
    """Claim: the two extremes, everything ends at once and nothing ever ends, lose nobody where memory is just the
    longest request; a prediction beyond the memory counts as what the memory allows."""
    workload, edge = edge_of_memory(seed, (1, 7, 16)[seed % 3])
    policy = build(name, workload, Fleet.identical(edge))
    assume(policy is not None)
    assert_exact(workload, Fleet.identical(edge), policy.predicted_by(Constant(tokens)))


@pytest.mark.parametrize("name", TOLD_THE_TRUTH)
def test_the_truth_as_prediction_is_the_truth(name):
    """Claim: with the oracle as predictor the run is the same, bit for bit; tables say that it was predicted."""
    workload = random_workload(4)
    fleet = Fleet.identical(tight_hardware(Affine(0.012, 60e-6, 50e-6, 0.12e-6), 4, 16))
    policy = build(name, workload, fleet)
    predicted = policy.predicted_by(Oracle())
    assert predicted.information.label == "predicted"
    assert predicted.settings["predictor"] == "oracle"
    true, other = simulate(workload, fleet, policy), simulate(workload, fleet, predicted)
    np.testing.assert_array_equal(true.completion_s, other.completion_s)
    np.testing.assert_array_equal(true.preemptions, other.preemptions)


@pytest.mark.parametrize("name", ["sjf", "mc-sf", "srpt"])
def test_overpredictions_never_preempt(name):
    """Claim: a policy that reserves for the upper end of an interval is never surprised, so nobody is preempted; with
    half of the predictions too short somebody is."""
    workload = random_workload(11)
    fleet = Fleet.identical(tight_hardware(Affine(0.012, 60e-6, 50e-6, 0.12e-6), 11, 16))
    policy = build(name, workload, fleet)
    assert simulate(workload, fleet, policy.predicted_by(Interval(0.5))).preemptions.sum() == 0
    assert simulate(workload, fleet, policy.predicted_by(Noise(1.0))).preemptions.sum() > 0


def test_outgrowing_a_reservation_preempts_the_latest_admitted():
    """Claim: by hand. Two requests of prompt 4 and 6 outputs, both predicted at 2, in a memory of 13 tokens. Each
    reserves 5 and starts at 0; with 6 cached each, 13 - 12 leaves one token for two, so the second is preempted having
    emitted 3, and recomputes its 7 tokens when the first has left. 1 s an iteration: 6 s, then 3 more iterations.
    Knowing the truth they run one after the other."""
    workload = Workload.of([0.0, 0.0], [4, 4], [6, 6])
    fleet = Fleet.identical(Hardware("hand", Affine(1.0, 0.0, 0.0, 0.0), 13, 8, 1))
    truthful = RECIPES["sjf"].build(workload, fleet)
    assert simulate(workload, fleet, truthful).completion_s.tolist() == [6.0, 12.0]
    policy = truthful.predicted_by(Constant(2))
    run = assert_exact(workload, fleet, policy)
    assert run.preemptions.tolist() == [0, 1]
    assert run.completion_s.tolist() == [6.0, 9.0]


def test_a_policy_without_lengths_has_nothing_to_predict():
    """Claim: asking is refused, and names the policy."""
    workload = random_workload(1)
    fleet = Fleet.identical(tight_hardware(Affine(0.012, 60e-6, 50e-6, 0.12e-6), 1, 16))
    with pytest.raises(InputError, match="'sarathi' uses no output lengths"):
        build("sarathi", workload, fleet).predicted_by(build_predictor("oracle", workload))
