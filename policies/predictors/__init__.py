"""Predictors of output lengths: what a policy with `Information.PREDICTED` knows instead of the truth."""

from policies.predictors.class_mean import ClassMean
from policies.predictors.confusion import Confusion
from policies.predictors.empirical import Empirical
from policies.predictors.error_decay import ErrorDecay
from policies.predictors.flat import Flat
from policies.predictors.interval import Interval
from policies.predictors.noise import Noise
from policies.predictors.oracle import Oracle
from policies.predictors.quantile import Quantile
from policies.predictors.refreshed import Refreshed
from policies.predictors.registry import PREDICTORS, build_predictor, get_predictor, predictor_names
from policies.predictors.static import Static
from policies.predictors.uniform_noise import UniformNoise

__all__ = [
    "PREDICTORS",
    "ClassMean",
    "Confusion",
    "Empirical",
    "ErrorDecay",
    "Flat",
    "Interval",
    "Noise",
    "Oracle",
    "Quantile",
    "Refreshed",
    "Static",
    "UniformNoise",
    "build_predictor",
    "get_predictor",
    "predictor_names",
]
