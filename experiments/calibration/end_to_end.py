"""Measured requests as a second target: the overhead of an iteration that kernel sums miss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scipy.optimize import brentq

from experiments.calibration.calibrating import plus_overhead
from experiments.validation.comparison import compare
from experiments.validation.replay import replay
from experiments.validation.request_log import RequestLog
from experiments.validation.settings import EngineSettings
from orsched.catalogue import Hardware
from orsched.errors import InputError

MOST_OVERHEAD_S = 0.05
"""Largest overhead that is looked for; more than any engine adds to an iteration."""
_TOLERANCE_S = 1e-6


@dataclass(frozen=True, slots=True)
class Overhead:
    """An overhead per iteration and the errors of mean times without and with it.

    Parameters
    ----------
    overhead_s : float
        Seconds an iteration.
    before, after : mapping of str to float
        Signed relative error of the mean, by metric, without and with it.
    simulations : int
        Simulations it took.
    note : str
        What the search found when no overhead brings the error to zero; else empty.
    """

    overhead_s: float
    before: dict[str, float]
    after: dict[str, float]
    simulations: int
    note: str = ""


def overhead_of_log(log: RequestLog, entry: Hardware, settings: EngineSettings) -> Overhead:
    """Find the overhead with which the mean time per output token of a simulated log is the measured one.

    The requests are replayed with vLLM's scheduler. More overhead makes every iteration longer and hence, but for what
    it changes in the batches, the mean: a bracketed root search needs some ten simulations. No overhead is negative:
    where the model is too slow already, it is zero.
    """

    def errors(overhead_s: float) -> dict[str, float]:
        slower = replace(entry, service=plus_overhead(entry.service, overhead_s))
        return {one.metric: one.error for one in compare(replay(log, slower, settings))}

    return solve(errors)


def solve(errors: Callable[[float], dict[str, float]]) -> Overhead:
    """Find the overhead at which the error of ``tpot`` changes sign.

    Parameters
    ----------
    errors : callable
        Overhead in seconds -> signed relative errors by metric, ``tpot`` among them.

    Raises
    ------
    InputError
        When the model stays too fast with an overhead of `MOST_OVERHEAD_S`: then it is not an overhead that is missing.
    """
    found: dict[float, dict[str, float]] = {}

    def tpot(overhead_s: float) -> float:
        if overhead_s not in found:
            found[overhead_s] = errors(overhead_s)
        return found[overhead_s]["tpot"]

    if tpot(0.0) >= 0:
        note = "the model is not too fast without an overhead: none is added"
        return Overhead(0.0, found[0.0], found[0.0], len(found), note)
    most = 1e-3
    while tpot(most) < 0:
        most *= 2
        if most > MOST_OVERHEAD_S:
            raise InputError(
                f"with {most / 2 * 1e3:g} ms an iteration the simulated time per output token is still "
                f"{-found[most / 2]['tpot']:.0%} below the measured one: not an overhead is missing, but something else"
            )
    best = float(brentq(tpot, 0.0 if most == 1e-3 else most / 2, most, xtol=_TOLERANCE_S))
    overhead_s = float(f"{best:.3g}")
    tpot(overhead_s)
    return Overhead(overhead_s, found[0.0], found[overhead_s], len(found))
