"""What state an instance is in."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Life of an instance, from off to off."""

    OFF = "off"
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    """It finishes what it has and takes nothing more."""
    DEAD = "dead"
