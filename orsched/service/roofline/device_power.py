"""Power of a device whose iterations are only known from a roofline: our model of how its TDP is used."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.checks import check_number
from orsched.devices import Chip
from orsched.service.point import OperatingPoint

IDLE_SHARE = 0.11
"""Idle power as a share of the TDP where none is known: 75 of 700 W, splitwise-sim's constant for an H100."""

MEMORY_SHARE = 0.5
"""Share of the power above idling that full memory traffic draws.

splitwise-sim (Mutinifni/splitwise-sim @8f99e7d) has 75, 380 and 700 W for an H100 that idles, decodes and prefills, and
63, 250 and 400 W for an A100: shares of 0.49 and 0.55. Constants of a simulator, no measurement we can vouch for.
"""


@dataclass(frozen=True, slots=True)
class DevicePower:
    """``min(most_w, idle_w + (flop_j F + byte_j M) / T)`` for an iteration of F FLOPs and M bytes in T seconds.

    Ours: full arithmetic draws the TDP, full memory traffic `MEMORY_SHARE` of the way from idling to it.

    Parameters
    ----------
    idle_w, most_w : float
        Power when nothing runs, and the limit, of the whole group.
    flop_j, byte_j : float
        Joules per FLOP and byte.
    clock_exponent : float
        Energy per operation goes as the clock to this power.
    """

    idle_w: float
    most_w: float
    flop_j: float
    byte_j: float
    clock_exponent: float = 2.0

    def __post_init__(self) -> None:
        for name in ("idle_w", "flop_j", "byte_j"):
            check_number(self, name)
        check_number(self, "most_w", above=True)
        check_number(self, "clock_exponent", most=4.0)

    @classmethod
    def of(cls, chip: Chip, gpus: int, flops_s: float, bytes_s: float) -> DevicePower | None:
        """Return the model of `gpus` chips that reach the given rates each; None where no TDP is known."""
        if chip.tdp_w is None:
            return None
        idle = IDLE_SHARE * chip.tdp_w if chip.idle_w is None else chip.idle_w
        above = chip.tdp_w - idle
        return cls(gpus * idle, gpus * chip.tdp_w, above / flops_s, MEMORY_SHARE * above / bytes_s)

    def work_j(self, flops: float, moved_bytes: float) -> float:
        """Joules of an iteration beyond idling, without the limit; `flops` and `moved_bytes` of the whole group."""
        return self.flop_j * flops + self.byte_j * moved_bytes

    def power_w(self, work_j: float, iteration_s: float) -> float:
        """Mean power of an iteration, from its `work_j`."""
        return min(self.most_w, self.idle_w + work_j / iteration_s)

    def at(self, point: OperatingPoint) -> DevicePower:
        """Return the model at another clock; the share of the SMs does not enter."""
        factor = point.clock_share**self.clock_exponent
        return replace(self, flop_j=factor * self.flop_j, byte_j=factor * self.byte_j)
