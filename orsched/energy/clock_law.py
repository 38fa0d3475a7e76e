"""The clock law: power and time of work as functions of the clock, and the clock that costs least."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.checks import check_number, require_number


@dataclass(frozen=True, slots=True)
class ClockLaw:
    """Power ``P(f) = A + B f^(1 + alpha)`` and time ``T(f) = T(1) f^-beta`` of work, against the clock.

    The clock ``f`` is a share of the full one. The energy of work that takes one second at full clock is
    ``E(f) = A f^-beta + B f^(1 + alpha - beta)``: falling where static power dominates, rising where switching does.
    Its least point, where the derivative vanishes, is

        f* = ( A beta / (B (1 + alpha - beta)) )^(1 / (1 + alpha))        (0 < beta < 1 + alpha)

    (law and optimum as attributed to VoltanaLLM, arXiv 2509.04827; see docs/energy.md). `fluid.fleets.Phase` adds a
    part of the time that the clock does not scale.

    Parameters
    ----------
    static_w, dynamic_w : float
        ``A >= 0`` and ``B > 0``, watts at full clock.
    alpha : float
        In [0, 4].
    beta : float
        In [0, 1]: 1 is compute-bound, 0 memory-bound.

    Raises
    ------
    InputError
        For a number outside its range.

    Examples
    --------
    >>> law = ClockLaw(static_w=100, dynamic_w=300, alpha=2, beta=1)
    >>> law.power_w(0.5), law.energy_j(0.5), round(law.cheapest(), 4)
    (137.5, 275.0, 0.5503)
    """

    static_w: float
    dynamic_w: float
    alpha: float
    beta: float

    def __post_init__(self) -> None:
        check_number(self, "static_w")
        check_number(self, "dynamic_w", above=True)
        check_number(self, "alpha", most=4.0)
        check_number(self, "beta", most=1.0)

    def stretch(self, clock: float) -> float:
        """``T(f) / T(1)``."""
        _require_clock("clock", clock)
        return float(clock**-self.beta)

    def power_w(self, clock: float) -> float:
        """``P(f)``, watts."""
        _require_clock("clock", clock)
        return float(self.static_w + self.dynamic_w * clock ** (1 + self.alpha))

    def energy_j(self, clock: float) -> float:
        """``E(f)``, joules for work that takes one second at full clock."""
        return self.power_w(clock) * self.stretch(clock)

    def cheapest(self, least: float = 0.0) -> float:
        """Clock in ``[least, 1]`` of least energy; zero when slower is always cheaper and `least` is zero.

        ``E`` is quasi-convex, so that the nearest point of the range to ``f*`` is best. With ``beta = 0`` it rises and
        `least` is best. With ``beta = 1, alpha = 0`` it falls, and the full clock is best unless ``A = 0``: then every
        clock costs the same and `least` is returned.
        """
        require_number("least", least, most=1.0)
        rise = 1 + self.alpha - self.beta
        if self.static_w == 0 or self.beta == 0:
            return float(least)
        if rise == 0:
            return 1.0
        best = (self.static_w * self.beta / (self.dynamic_w * rise)) ** (1 / (1 + self.alpha))
        return float(min(max(best, least), 1.0))

    def is_u_shaped(self, least: float = 0.0) -> bool:
        """Whether energy falls and then rises on ``[least, 1]``: the best clock lies inside."""
        return least < self.cheapest(least) < 1.0


def _require_clock(name: str, clock: float) -> None:
    require_number(name, clock, above=True, most=1.0)
