"""Settings of the fleet that reschedules its decode pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from orsched.checks import check_number, check_whole
from orsched.errors import InputError
from policies.registry import get_recipe, get_router

Forecast = Literal["none", "freeness", "current", "predicted", "oracle"]
Placement = Literal["least-kv", "in-turn", "least-forecast"]
Pairs = Literal["all", "extremes"]


@dataclass(frozen=True, slots=True)
class AresLikeSettings:
    """What ARES / STAR does not publish, with defaults of ours.

    The defaults follow from a reason each, and were not fitted to any result.

    Parameters
    ----------
    forecast : {"predicted", "oracle", "current", "freeness", "none"}
        What rescheduling goes by: predicted lengths (another predictor may take their place), true ones, the present
        load without any lengths; Llumnix's pass over the decode instances, with the thresholds of
        `policies.llumnix.LlumnixSettings` in place of those below; or no rescheduling at all.
    period_s : float
        Time between two passes, seconds, above 0. One second: many iterations, and several times what copying a long
        context takes over a fast link.
    horizon_tokens : int, optional
        How far ahead the forecast looks, iterations. None: the mean output length of the workload, after which an
        average request is gone. Not used with ``current``.
    horizon_steps : int
        At how many points; 8 resolves the horizon to an eighth.
    gamma : float
        Weight of an iteration relative to the one before, above 0 and at most 1. 1: none matters more than another.
    alpha : float
        How many times the duration of its migration a request must still take part. 1: it must outlive it.
    margin : float
        By how much, relative to the mean, the load of a source exceeds it. 0: the score alone decides.
    most_moves : int, optional
        In a pass. None: as many as there are decode instances.
    pairs : {"all", "extremes"}
        Every source with every target, or only the most with the least loaded, for large pools.
    placement : {"least-kv", "in-turn", "least-forecast"}
        Decode instance that takes over a finished prompt: the one with the fewest KV tokens; each in turn; that with
        the least predicted load.
    router : str
        A registered router: which prefill instance takes a request. ``token-jsq`` goes by prompt tokens to process.
    batcher : str
        A registered policy that plans the batches of every instance.

    Raises
    ------
    InputError
        Naming the field that is out of range, or fields that contradict each other.
    """

    forecast: Forecast = "predicted"
    period_s: float = 1.0
    horizon_tokens: int | None = None
    horizon_steps: int = 8
    gamma: float = 1.0
    alpha: float = 1.0
    margin: float = 0.0
    most_moves: int | None = None
    pairs: Pairs = "all"
    placement: Placement = "least-kv"
    router: str = "token-jsq"
    batcher: str = "vllm-v1"

    def __post_init__(self) -> None:
        for name, allowed in (("forecast", Forecast), ("placement", Placement), ("pairs", Pairs)):
            if getattr(self, name) not in get_args(allowed):
                options = ", ".join(map(repr, get_args(allowed)))
                raise InputError(f"AresLikeSettings.{name} = {getattr(self, name)!r}: must be one of {options}")
        get_router(self.router)
        get_recipe(self.batcher)
        check_number(self, "period_s", above=True, unit="seconds")
        check_whole(self, "horizon_steps", most=1000)
        if self.horizon_tokens is not None:
            check_whole(self, "horizon_tokens")
        check_number(self, "gamma", above=True, most=1)
        check_number(self, "alpha")
        check_number(self, "margin")
        if self.most_moves is not None:
            check_whole(self, "most_moves")
        if self.placement == "least-forecast" and self.forecast in ("none", "freeness"):
            raise InputError(f"placement = 'least-forecast' goes by a forecast: forecast = {self.forecast!r} has none")
