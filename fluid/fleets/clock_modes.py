"""A list of clocks as modes: the mode LP picks from it, and shows what a continuous clock is worth."""

from __future__ import annotations

from collections.abc import Sequence

from fluid.fleets.clock_pool import ClockPool
from fluid.modes import POWER, Mode, ModePlan, mode_lp
from orsched.errors import InputError

_KIND = "instance"


def clock_modes(pool: ClockPool, clocks: Sequence[float]) -> tuple[Mode, ...]:
    """Offer each phase at each clock of a list that keeps its limit, and an idle mode.

    Parameters
    ----------
    pool : ClockPool
        The phases; each is a product of its own name, one unit per iteration.
    clocks : sequence of float
        Shares of full clock within the pool's range.

    Raises
    ------
    InputError
        When a clock lies outside the range, or no clock on the list keeps a phase's limit.
    """
    outside = [clock for clock in clocks if not pool.least <= clock <= pool.most]
    if outside:
        raise InputError(f"clocks {outside!r} lie outside the pool's range [{pool.least:g}, {pool.most:g}]")
    modes = [Mode("idle", 1.0, {}, _KIND, power_w=pool.idle_w)]
    for phase in pool.phases:
        kept = [clock for clock in clocks if phase.iteration_s(clock) <= phase.limit_s]
        if not kept:
            raise InputError(f"phase {phase.name!r} keeps its limit of {phase.limit_s:g} s at no clock of {clocks!r}")
        for clock in kept:
            time = phase.iteration_s(clock)
            label = f"{phase.name} at {clock:g}"
            modes.append(Mode(label, time, {phase.name: 1 / time}, _KIND, power_w=phase.power_w(clock)))
    return tuple(modes)


def least_power_on_list(pool: ClockPool, clocks: Sequence[float]) -> ModePlan:
    """Least mean power when only the clocks of a list may be set, each for any share of the time.

    At least the continuous optimum of `fluid.fleets.least_power` (a mixture of clocks is covered by its proof),
    and close to it on a fine list: around an interior optimum the excess is of the order of the
    squared distance between clocks.

    Parameters
    ----------
    pool : ClockPool
        The work.
    clocks : sequence of float
        Shares of full clock.
    """
    demand = {phase.name: phase.iterations_per_s for phase in pool.phases}
    count = {_KIND: float(pool.instances)}
    return mode_lp(clock_modes(pool, clocks), demand, POWER, instances=count, always_on=count, name="clock-list")
