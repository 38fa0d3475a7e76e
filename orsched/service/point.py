"""The operating point of an execution lane, and how iteration times scale with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from orsched.checks import check_number, require_number
from orsched.errors import InputError


class OperatingPoint(NamedTuple):
    """How an execution lane runs: its share of the streaming multiprocessors and of the full clock.

    The neutral point ``OperatingPoint()`` is the whole device at full clock.
    """

    sm_share: float = 1.0
    clock_share: float = 1.0


FULL = OperatingPoint()


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the parts of an iteration stretch at another operating point.

    Arithmetic takes ``1 / (sm_share clock_share^compute_exponent)`` times as long, memory traffic
    ``max(1, saturation_share / sm_share) / clock_share^memory_exponent`` times: fewer streaming multiprocessors than
    `saturation_share` cannot draw the full bandwidth. What the host does (launches, engine) takes as long as before.

    Parameters
    ----------
    saturation_share : float
        Share of the SMs that saturates the memory bandwidth, in (0, 1].
    compute_exponent, memory_exponent : float
        Exponent ``beta`` of the clock law ``T ~ f^-beta`` of each part, in [0, 1].
    source : str
        Where the numbers come from; an assumption says so.
    """

    saturation_share: float
    compute_exponent: float = 1.0
    memory_exponent: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        check_number(self, "saturation_share", above=True, most=1.0)
        check_number(self, "compute_exponent", most=1.0)
        check_number(self, "memory_exponent", most=1.0)

    def compute(self, point: OperatingPoint) -> float:
        """Return the factor on compute-bound time."""
        return 1.0 / (point.sm_share * float(point.clock_share**self.compute_exponent))

    def memory(self, point: OperatingPoint) -> float:
        """Return the factor on memory-bound time."""
        return max(1.0, self.saturation_share / point.sm_share) / float(point.clock_share**self.memory_exponent)


def require_scaling(model: object, scaling: Scaling | None, point: OperatingPoint) -> Scaling:
    """Return the scaling of a model that is asked for `point`.

    Raises
    ------
    InputError
        When a share is outside (0, 1], or the model was calibrated for the whole device only.
    """
    require_number("OperatingPoint.sm_share", point.sm_share, above=True, most=1.0)
    require_number("OperatingPoint.clock_share", point.clock_share, above=True, most=1.0)
    if scaling is None:
        raise InputError(
            f"{type(model).__name__} is calibrated for the whole device at full clock, not for {point}; "
            "use OperatingPoint(), or give the model a Scaling"
        )
    return scaling
