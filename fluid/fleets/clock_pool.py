"""Instances with an adjustable clock and the phases that they have to run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fluid.fleets.clock import Phase
from orsched.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPool:
    """Identical instances whose clock may be set freely within a range.

    Parameters
    ----------
    phases : tuple of Phase
        All that has to run on them, names distinct.
    instances : int
        How many instances share the work, >= 1.
    least, most : float
        Range of the clock as a share of full clock, ``0 < least <= most``.
    idle_w : float
        Power of an instance that runs nothing, watts; at most any phase's `static_w`.
    """

    phases: tuple[Phase, ...]
    least: float
    most: float
    idle_w: float
    instances: int = 1

    def __post_init__(self) -> None:
        names = [phase.name for phase in self.phases]
        if not names or len(set(names)) != len(names):
            raise InputError(f"ClockPool.phases {names!r}: need at least one phase, with distinct names")
        if not 0 < self.least <= self.most < math.inf:
            raise InputError(f"ClockPool range [{self.least!r}, {self.most!r}]: need 0 < least <= most")
        if isinstance(self.instances, bool) or not isinstance(self.instances, int) or self.instances < 1:
            raise InputError(f"ClockPool.instances = {self.instances!r}: must be a whole number >= 1")
        lowest = min(self.phases, key=lambda phase: phase.static_w)
        if not 0 <= self.idle_w <= lowest.static_w:
            raise InputError(
                f"ClockPool.idle_w = {self.idle_w!r}: must lie between 0 and the static power of every phase "
                f"({lowest.name!r}: {lowest.static_w} W); an instance at work does not draw less than an idle one"
            )

    def require_feasible(self) -> None:
        """Refuse a pool that cannot do its work at the highest clock, where every iteration is shortest.

        Raises
        ------
        InputError
            Naming the phase whose limit is missed, or the phase that takes most of the time.
        """
        for phase in self.phases:
            if phase.slowest(self.least) > self.most:
                raise InputError(
                    f"phase {phase.name!r} cannot keep its limit of {phase.limit_s:g} s: at the highest clock "
                    f"({self.most:g} of full) an iteration takes {phase.iteration_s(self.most):g} s; "
                    "relax the limit or make the batch smaller"
                )
        busy = {p.name: p.iterations_per_s * p.iteration_s(self.most) for p in self.phases}
        total = sum(busy.values())
        if total > self.instances:
            worst = max(busy, key=lambda name: busy[name])
            raise InputError(
                f"the work needs {total:.4g} instances at the highest clock ({self.most:g} of full), there are "
                f"{self.instances}; phase {worst!r} alone needs {busy[worst]:.4g}: add instances or lower the rates"
            )

    def mean_power_w(self, clocks: dict[str, float]) -> float:
        """Mean power of the pool when each phase runs at its clock in `clocks`, idle time included; watts."""
        work = sum(
            p.iterations_per_s * p.iteration_s(clocks[p.name]) * (p.power_w(clocks[p.name]) - self.idle_w)
            for p in self.phases
        )
        return self.idle_w * self.instances + work

    def busy(self, clocks: dict[str, float]) -> float:
        """Instances kept busy on average when each phase runs at its clock in `clocks`."""
        return sum(p.iterations_per_s * p.iteration_s(clocks[p.name]) for p in self.phases)
