"""Faults: what breaks during a run, and when."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.checks import check_number, check_whole
from orsched.group import MOST_INSTANCES


@dataclass(frozen=True, slots=True)
class InstanceFault:
    """An instance dies: what it had cached is lost, and its requests start again from their prefill elsewhere.

    One that is off is not affected. One that is dead already stays so until the last of its faults is repaired.

    Parameters
    ----------
    at_s : float
        When, seconds.
    instance : int
        Which, by its number in the fleet.
    for_s : float, optional
        Seconds until it is repaired and serves again; None: never.
    """

    at_s: float
    instance: int
    for_s: float | None = None

    def __post_init__(self) -> None:
        _check(self)
        if self.for_s is not None:
            check_number(self, "for_s", above=True, unit="seconds")


@dataclass(frozen=True, slots=True)
class LinkFault:
    """An instance's link slows down, or carries nothing for a while; transfers on it go on at that speed.

    Parameters
    ----------
    at_s : float
        When, seconds.
    instance : int
        Whose link, by its number in the fleet.
    for_s : float
        Seconds until it is as fast as before. Faults of one link that overlap multiply.
    factor : float
        Share of its bandwidth that is left, 0 (dropped) to 1.
    """

    at_s: float
    instance: int
    for_s: float
    factor: float = 0.0

    def __post_init__(self) -> None:
        _check(self)
        check_number(self, "for_s", above=True, unit="seconds")
        check_number(self, "factor", most=1.0)


@dataclass(frozen=True, slots=True)
class StartUpFault:
    """An instance fails to start: it is off again after its start-up time.

    Parameters
    ----------
    at_s : float
        From when on, seconds.
    instance : int
        Which, by its number in the fleet.
    attempts : int
        How many starts fail.
    """

    at_s: float
    instance: int
    attempts: int = 1

    def __post_init__(self) -> None:
        _check(self)
        check_whole(self, "attempts")


Fault = InstanceFault | LinkFault | StartUpFault


def _check(fault: Fault) -> None:
    check_number(fault, "at_s", unit="seconds")
    check_whole(fault, "instance", least=0, most=MOST_INSTANCES - 1)
