"""What a policy may know about the tokens a request has still to emit."""

import math
from dataclasses import replace

import numpy as np
import pytest

from orsched import Fleet, Hardware, Information, Workload
from orsched.engine.requests import Requests
from orsched.errors import InformationError, InputError
from orsched.prediction import Predictions
from orsched.service import Affine
from policies import RECIPES
from policies.predictors import Refreshed

WORK = Workload.of([0.0, 0.0], [10, 60], [40, 50])
"""Contexts of 50 and 110 tokens: the deployment is configured for 110."""
FLEET = Fleet.identical(Hardware("hand", Affine(1.0, 0.0, 0.0, 0.0), 1000, 8, 1))


class Told:
    """Predicts the lengths it was made with, and what its refresher says."""

    name = "told"

    def __init__(self, *points, refresher=None):
        self.predictions = Predictions.of(np.array(points), refresher=refresher)

    def __call__(self, workload, rng, /):
        return self.predictions


def requests_of(predictor=None):
    policy = RECIPES["sjf"].build(WORK, FLEET)
    if predictor is not None:
        policy = policy.predicted_by(predictor)
    return Requests(WORK, policy, np.random.default_rng(0))


def test_the_truth_with_oracle_information():
    """Claim: output length less what is emitted."""
    requests = requests_of()
    assert [requests.remaining_tokens(0, g) for g in (0, 39)] == [40, 1]


def test_nothing_without_information():
    """Claim: a policy that knows nothing of lengths, or the class only, is refused and told what it declared."""
    for information in (Information.NONE, Information.CLASS):
        policy = replace(RECIPES["sarathi"].build(WORK, FLEET), information=information)
        requests = Requests(WORK, policy, np.random.default_rng(0))
        with pytest.raises(InformationError, match=f"request 1 is hidden: .* '{information.label}', it needs 'oracle'"):
            requests.remaining_tokens(1, 3)


def test_a_prediction_that_is_made_once_counts_down_to_one():
    """Claim: predicted 25 and 900; the first is 24 after one token and 1 from the 24th on; the second is at most what
    the context of 110 leaves beside a prompt of 60."""
    requests = requests_of(Told(25, 900))
    assert [requests.remaining_tokens(0, g) for g in (0, 1, 23, 24, 25, 39)] == [25, 24, 2, 1, 1, 1]
    assert [requests.remaining_tokens(1, g) for g in (0, 20, 49)] == [50, 30, 1]


def test_a_refresher_is_asked_with_what_is_emitted():
    """Claim: its answer is passed on, at most what the context allows; the plan stays with the point."""
    requests = requests_of(Told(25, 30, refresher=lambda request, emitted: 1000.5 if request else emitted + 2.5))
    assert [requests.remaining_tokens(0, g) for g in (0, 7)] == [2.5, 9.5]
    assert requests.remaining_tokens(1, 5) == 45
    assert requests.known_tokens(0) == 25


@pytest.mark.parametrize("answer", [0.5, -3, math.inf, math.nan])
def test_a_refresher_that_answers_nonsense_is_stopped(answer):
    """Claim: less than one token and no finite number are refused, naming request, tokens and answer."""
    requests = requests_of(Told(25, 30, refresher=lambda request, emitted: answer))
    with pytest.raises(InputError, match=f"refresher: request 1 after 4 tokens has {answer} left"):
        requests.remaining_tokens(1, 4)


def test_a_refresher_must_be_a_function():
    """Claim: anything else is refused where the predictions are built."""
    with pytest.raises(InputError, match="refresher = 3: must be a function"):
        Predictions.of(np.array([1]), refresher=3)


def test_predictions_pass_through_the_run_with_their_refresher():
    """Claim: the engine's check of predictions keeps it: the same seed, the same numbers as asked directly."""
    requests = requests_of(Refreshed(5))
    direct = Refreshed(5)(WORK, np.random.default_rng(0)).refresher
    for g in range(0, 40, 3):
        assert requests.remaining_tokens(0, g) == min(direct(0, g), 100 - g)
