"""Predictors by name: ``oracle``, ``noise:0.5``, ``quantile:0.9``, ``empirical:multi_cls``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orsched.checks import MAX_TOKENS
from orsched.errors import InputError, unknown_name
from orsched.prediction import Predictor
from orsched.workloads import Workload
from policies.parts.bins import MOST_CLASSES, LengthBins
from policies.predictors.class_mean import ClassMean
from policies.predictors.empirical import Empirical
from policies.predictors.flat import Flat
from policies.predictors.interval import Interval
from policies.predictors.noise import Noise
from policies.predictors.oracle import Oracle
from policies.predictors.quantile import Quantile
from policies.predictors.refreshed import Refreshed
from policies.predictors.static import Static
from policies.predictors.uniform_noise import UniformNoise


@dataclass(frozen=True, slots=True)
class PredictorKind:
    """A name that predictors are asked for by, and what follows it after a colon.

    Parameters
    ----------
    usage : str
        How it is written; what is in brackets may be left out.
    description : str
        One line.
    build : callable
        ``build(parameter, workload)``; the parameter is None when left out, the workload when there is none.
    """

    usage: str
    description: str
    build: Callable[[str | None, Workload | None], Predictor]


def get_predictor(text: str) -> Predictor:
    """Build the predictor that `text` names, for one that needs no workload to learn from.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    InputError
        When the parameter is wrong, or the predictor is learnt from a workload (use `build_predictor`).
    """
    return _build(text, None)


def build_predictor(text: str, workload: Workload) -> Predictor:
    """Build the predictor that `text` names.

    Parameters
    ----------
    text : str
        A name of `PREDICTORS`, with its parameter after a colon: ``noise:0.5``.
    workload : Workload
        Stands for the law: means and quantiles are learnt from it. Never the sample path that will be served.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    InputError
        When the parameter is missing, is no number or is out of range.
    """
    return _build(text, workload)


def predictor_names() -> list[str]:
    """Names of all predictors, without parameters, sorted."""
    return sorted(PREDICTORS)


def _build(text: str, workload: Workload | None) -> Predictor:
    if not isinstance(text, str):
        raise unknown_name("predictor", text, PREDICTORS)
    name, colon, parameter = text.strip().partition(":")
    if name not in PREDICTORS:
        raise unknown_name("predictor", name, PREDICTORS)
    kind = PREDICTORS[name]
    try:
        return kind.build(parameter if colon else None, workload)
    except InputError as error:
        raise type(error)(f"predictor {text!r} (as in {kind.usage}): {error}") from None


def _without_parameter(make: Callable[[], Predictor]) -> Callable[[str | None, Workload | None], Predictor]:
    def build(parameter: str | None, workload: Workload | None) -> Predictor:
        if parameter is not None:
            raise InputError("takes no parameter")
        return make()

    return build


def _class_mean(parameter: str | None, workload: Workload | None) -> Predictor:
    classes = 2 if parameter is None else _whole_number(parameter, "classes", MOST_CLASSES)
    learnt_from = _needed(workload)
    return ClassMean.of(learnt_from, LengthBins.quantiles(learnt_from, 1, classes))


def _quantile(parameter: str | None, workload: Workload | None) -> Predictor:
    level = _number(parameter)
    return Quantile.of(_needed(workload), level)


def _empirical(parameter: str | None, workload: Workload | None) -> Predictor:
    return Empirical() if parameter is None else Empirical(parameter)


def _flat(parameter: str | None, workload: Workload | None) -> Predictor:
    return Flat() if parameter is None else Flat(_whole_number(parameter, "tokens", MAX_TOKENS))


def _refreshed(parameter: str | None, workload: Workload | None) -> Predictor:
    if parameter is None:
        return Refreshed()
    period, colon, exponent = parameter.partition(":")
    tokens = _whole_number(period, "tokens", MAX_TOKENS)
    return Refreshed(tokens, _number(exponent)) if colon else Refreshed(tokens)


def _of_number(make: Callable[[float], Predictor]) -> Callable[[str | None, Workload | None], Predictor]:
    return lambda parameter, workload: make(_number(parameter))


def _number(parameter: str | None) -> float:
    if parameter is None:
        raise InputError("needs a number after the colon")
    try:
        return float(parameter)
    except ValueError:
        raise InputError(f"{parameter!r} is not a number") from None


def _whole_number(text: str, of_what: str, most: int) -> int:
    number = _number(text)
    if not number.is_integer() or not 1 <= number <= most:
        raise InputError(f"{text} {of_what}: must be a whole number from 1 to {most}")
    return int(number)


def _needed(workload: Workload | None) -> Workload:
    if workload is None:
        raise InputError("is learnt from a workload: use policies.build_predictor(text, workload)")
    return workload


PREDICTORS: Mapping[str, PredictorKind] = MappingProxyType(
    {
        "oracle": PredictorKind("oracle", "The true output length", _without_parameter(Oracle)),
        "class-mean": PredictorKind(
            "class-mean[:CLASSES]",
            "Mean output length of the request's class; CLASSES bins of output length, default 2",
            _class_mean,
        ),
        "quantile": PredictorKind(
            "quantile:LEVEL", "That quantile of the workload's output lengths, the same for all requests", _quantile
        ),
        "interval": PredictorKind(
            "interval:ALPHA",
            "Upper end of an interval [l, u] with l/u = ALPHA that contains the truth",
            _of_number(Interval),
        ),
        "noise": PredictorKind(
            "noise:SIGMA", "Truth times log-normal noise of median 1; SIGMA of the logarithm", _of_number(Noise)
        ),
        "uniform": PredictorKind(
            "uniform:EPS", "Truth times a uniform factor between 1 - EPS and 1 + EPS", _of_number(UniformNoise)
        ),
        "empirical": PredictorKind(
            "empirical[:MODEL]",
            "Measured BERT classifier of vicuna-13b's answers; MODEL cls or multi_cls (default)",
            _empirical,
        ),
        "static": PredictorKind(
            "static",
            "Truth with the error published for ARES' predictor before the first token; never asked again",
            _without_parameter(Static),
        ),
        "flat": PredictorKind(
            "flat[:PERIOD]",
            "As static, but of what is left, every PERIOD tokens (default 20); its relative error never falls (ours)",
            _flat,
        ),
        "refreshed": PredictorKind(
            "refreshed[:PERIOD[:EXPONENT]]",
            "As flat, but its relative error falls, through ARES' second published point by a law of ours with "
            "EXPONENT (default 0.5)",
            _refreshed,
        ),
    }
)
"""What each name stands for."""
