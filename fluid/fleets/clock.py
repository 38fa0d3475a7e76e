"""A phase of work: iteration time, power and energy as functions of a continuous clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from orsched.errors import InputError

_HOPELESS = 700.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Iterations of one fixed composition that have to run at a given rate.

    At a clock of ``f`` (share of the full clock, `orsched.service.OperatingPoint.clock_share`)

        T(f) = memory_s + compute_s f^-beta        seconds per iteration
        P(f) = static_w + dynamic_w f^(1 + alpha)   watts while it runs

    so that `compute_s`, `dynamic_w` are what is measured at full clock. A law ``A + B f^(1 + alpha)`` with f in
    GHz has ``dynamic_w = B full_ghz^(1 + alpha)``. The law ``T ~ f^-beta`` is ``memory_s = 0``.

    Parameters
    ----------
    name : str
        Label in tables and errors.
    iterations_per_s : float
        Rate demanded of the whole pool, > 0.
    compute_s : float
        Part of an iteration that the clock scales, at full clock; seconds, >= 0.
    memory_s : float
        Part that it does not scale; seconds, >= 0. Not both parts are zero.
    beta : float
        In [0, 1]; 1 is compute-bound.
    static_w, dynamic_w : float
        ``A >= 0`` and ``B > 0``, watts at full clock.
    alpha : float
        In [0, 4].
    limit_s : float
        Longest iteration allowed (a TPOT limit on every token), seconds; infinite when there is none.

    Examples
    --------
    >>> p = Phase(name="decode", iterations_per_s=20, compute_s=0.02, beta=1, static_w=100, dynamic_w=300, alpha=2)
    >>> p.iteration_s(0.5), p.power_w(0.5), round(p.energy_j(0.5), 9)
    (0.04, 137.5, 5.5)
    """

    name: str
    iterations_per_s: float
    compute_s: float
    beta: float
    static_w: float
    dynamic_w: float
    alpha: float
    memory_s: float = 0.0
    limit_s: float = math.inf

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "limit_s"):
                continue
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"Phase {self.name!r}: {field.name} = {value!r}: must be finite and >= 0")
        for name in ("iterations_per_s", "dynamic_w", "limit_s"):
            if not getattr(self, name) > 0:
                raise InputError(f"Phase {self.name!r}: {name} = {getattr(self, name)!r}: must be > 0")
        if self.beta > 1 or self.alpha > 4:
            raise InputError(
                f"Phase {self.name!r}: beta = {self.beta!r}, alpha = {self.alpha!r}: must be in [0, 1] and [0, 4]"
            )
        if self.compute_s + self.memory_s <= 0:
            raise InputError(f"Phase {self.name!r}: an iteration must take time, give compute_s or memory_s > 0")

    def iteration_s(self, clock: float) -> float:
        """``T(f)``, seconds."""
        return float(self.memory_s + self.compute_s * clock**-self.beta)

    def power_w(self, clock: float) -> float:
        """``P(f)``, watts."""
        return float(self.static_w + self.dynamic_w * clock ** (1 + self.alpha))

    def energy_j(self, clock: float) -> float:
        """``P(f) T(f)``, joules per iteration."""
        return self.power_w(clock) * self.iteration_s(clock)

    def slowest(self, least: float) -> float:
        """Smallest clock of at least `least` whose iterations keep `limit_s`; infinite when there is none."""
        if self.iteration_s(least) <= self.limit_s:
            return least
        room = self.limit_s - self.memory_s
        if room <= 0 or self.beta == 0:
            return math.inf
        exponent = math.log(self.compute_s / room) / self.beta
        return max(least, math.exp(exponent)) if exponent < _HOPELESS else math.inf

    def cheapest(self, price_w: float, low: float, high: float) -> float:
        """Clock in ``[low, high]`` that minimises ``(P(f) + price_w) T(f)``.

        A price on time adds to the static power. With ``memory_s = 0`` the stationary point is closed,

            f* = ( (A + price) beta / (B (1 + alpha - beta)) )^(1 / (1 + alpha)),

        otherwise the derivative in ``log f``, which is increasing, is bisected.
        """
        static = self.static_w + price_w
        if static < 0:
            raise InputError(f"Phase {self.name!r}: static power plus price is {static!r} W: must be >= 0")
        bottom = 1 + self.alpha - self.beta
        if self.memory_s == 0 and bottom > 0:
            best = (static * self.beta / (self.dynamic_w * bottom)) ** (1 / (1 + self.alpha))
            return float(min(max(best, low), high))
        if self.slope_w_s(price_w, low) >= 0:
            return low
        if self.slope_w_s(price_w, high) <= 0:
            return high
        left, right = math.log(low), math.log(high)
        for _ in range(80):
            middle = (left + right) / 2
            if self.slope_w_s(price_w, math.exp(middle)) < 0:
                left = middle
            else:
                right = middle
        return math.exp((left + right) / 2)

    def slope_w_s(self, price_w: float, clock: float) -> float:
        """Derivative of ``(P(f) + price_w) T(f)`` with respect to ``log f``."""
        switching = self.dynamic_w * clock ** (1 + self.alpha)
        scaled = self.compute_s * clock**-self.beta
        growth = (1 + self.alpha) * switching * (self.memory_s + scaled)
        return float(growth - self.beta * scaled * (self.static_w + price_w + switching))
