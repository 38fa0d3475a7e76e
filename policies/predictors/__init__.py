"""Predictors of output lengths: what a policy with `Information.PREDICTED` knows instead of the truth."""

from policies.predictors.class_mean import ClassMean
from policies.predictors.confusion import Confusion
from policies.predictors.empirical import Empirical
from policies.predictors.interval import Interval
from policies.predictors.noise import Noise
from policies.predictors.oracle import Oracle
from policies.predictors.quantile import Quantile
from policies.predictors.registry import PREDICTORS, build_predictor, get_predictor, predictor_names
from policies.predictors.uniform_noise import UniformNoise

__all__ = [
    "PREDICTORS",
    "ClassMean",
    "Confusion",
    "Empirical",
    "Interval",
    "Noise",
    "Oracle",
    "Quantile",
    "UniformNoise",
    "build_predictor",
    "get_predictor",
    "predictor_names",
]
