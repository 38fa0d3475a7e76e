"""Energy: what a chip charges for bytes and operations, and what its clock does to time and power."""

from orsched.energy.chip_energy import ChipEnergy
from orsched.energy.clock_law import ClockLaw

__all__ = ["ChipEnergy", "ClockLaw"]
