"""Fleets: which instances serve the workload."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.catalogue import Hardware
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class Fleet:
    """`size` identical instances of `hardware`.

    Parameters
    ----------
    hardware : Hardware
        What each instance is.
    size : int
        Number of instances, at least 1.
    """

    hardware: Hardware
    size: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise InputError(f"Fleet.size = {self.size!r}: must be a whole number >= 1")

    @classmethod
    def single(cls, hardware: Hardware) -> Fleet:
        """One instance."""
        return cls(hardware)

    @classmethod
    def identical(cls, hardware: Hardware, size: int) -> Fleet:
        """`size` instances of the same `hardware`."""
        return cls(hardware, size)

    @property
    def name(self) -> str:
        """Label in tables: the hardware's name, with the count when there are several."""
        return self.hardware.name if self.size == 1 else f"{self.size}x {self.hardware.name}"
