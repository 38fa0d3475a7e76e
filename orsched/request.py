"""What a request asks for: its class and its service-level objective."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class SLO:
    """Service-level objective of a request.

    Parameters
    ----------
    ttft_s : float
        Largest acceptable time to first token, seconds, > 0.
    tpot_s : float
        Largest acceptable mean time per output token after the first, seconds, > 0.
    """

    ttft_s: float
    tpot_s: float

    def __post_init__(self) -> None:
        for field in ("ttft_s", "tpot_s"):
            value = getattr(self, field)
            if not (value > 0 and math.isfinite(value)):
                raise InputError(f"SLO.{field} = {value!r}: must be a positive, finite number of seconds")


@dataclass(frozen=True, slots=True)
class RequestClass:
    """A class of requests as the workload's owner names it (tenant, application, tier).

    Parameters
    ----------
    name : str
        Label in tables.
    slo : SLO, optional
        Objective of the class; None when it has none.
    """

    name: str = "all"
    slo: SLO | None = None
