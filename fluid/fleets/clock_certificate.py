"""Least mean power of a clock pool, proved by weak duality in outward-rounded arithmetic."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from fluid.fleets.clock import Phase
from fluid.fleets.clock_pool import ClockPool

_DIGITS = decimal.Context(prec=60, Emin=-10_000, Emax=10_000)
_MARGIN = Fraction(1, 10**40)
_Ends = tuple[Fraction, Fraction]


def prove_power_w(pool: ClockPool, price_w: float, clocks: Mapping[str, float]) -> Fraction:
    """Lower bound on the mean power of any policy that does the pool's work, from a price on time.

    **Claim.** Let each phase i run ``n_i`` or more iterations per second on average, at clocks that may
    change from iteration to iteration within the range and keep ``T_i(f) <= limit_i``. For every ``price >= 0``

        mean power >= (idle - price) m + sum_i n_i min over f of g_i(f),
        g_i(f)      = (P_i(f) - idle + price) T_i(f).

    *Proof.* Let ``m_i`` be the mean of ``T_i`` times the iterations per second of phase i; ``sum m_i <= m``
    because an instance runs one iteration at a time, and the rest is idle. So the mean power is at least
    ``idle m`` plus the mean of ``sum (P_i - idle) T_i`` over iterations, and adding ``price (sum m_i - m) <=
    0`` only lowers that. What remains is a mean of the ``g_i``, each at least its minimum and not negative
    (``A_i >= idle``), so more than n_i iterations do not help.

    *Minimum.* With ``u = log f`` every g_i is a sum of exponentials with coefficients >= 0: convex. So for
    any point ``u0``: ``g_i(u) >= g_i(u0) + g_i'(u0) (u - u0)``, which is least at an end of the interval
    ``[max(least, slowest_i), most]``. Any point and any price give a valid bound; the optimal ones a tight one.

    Arithmetic: coefficients are rationals (doubles taken at face value). Powers and logarithms are computed
    with 60 digits and widened by 1e-40 relative; all else is exact.

    Parameters
    ----------
    pool : ClockPool
        What is bounded.
    price_w : float
        Multiplier of an instance-second; negative values are taken as 0.
    clocks : mapping of str to float
        Point of tangency of each phase, within the range.

    Returns
    -------
    Fraction
        Watts; no policy of the stated class needs less.
    """
    price = Fraction(max(price_w, 0.0))
    idle = Fraction(pool.idle_w)
    total = (idle - price) * pool.instances
    for phase in pool.phases:
        low = max(Fraction(pool.least), _slowest(phase))
        static = Fraction(phase.static_w) - idle + price
        total += Fraction(phase.iterations_per_s) * _least(phase, static, clocks[phase.name], low, Fraction(pool.most))
    return total


def _least(phase: Phase, static: Fraction, clock: float, low: Fraction, high: Fraction) -> Fraction:
    """Lower end of the tangent at `clock` over ``[low, high]``; exponents and coefficients as in the claim."""
    at, beta, rise = Fraction(clock), Fraction(phase.beta), 1 + Fraction(phase.alpha)
    fixed, scaled, switching = Fraction(phase.memory_s), Fraction(phase.compute_s), Fraction(phase.dynamic_w)
    terms = (
        (static * fixed, Fraction(0)),
        (static * scaled, -beta),
        (switching * fixed, rise),
        (switching * scaled, rise - beta),
    )
    value = slope_low = slope_high = Fraction(0)
    for coefficient, exponent in terms:
        small, large = _power(at, exponent)
        value += coefficient * small
        slope_low += coefficient * exponent * (small if exponent >= 0 else large)
        slope_high += coefficient * exponent * (large if exponent >= 0 else small)
    steps = (*_logarithm(low / at), *_logarithm(high / at))
    return value + min(slope * step for slope in (slope_low, slope_high) for step in steps)


def _slowest(phase: Phase) -> Fraction:
    """Clock below which the phase certainly misses its limit; 0 when it never does."""
    room = Fraction(phase.limit_s) - Fraction(phase.memory_s) if phase.limit_s < float("inf") else None
    if room is None or room <= 0 or phase.beta == 0 or phase.compute_s == 0:
        return Fraction(0)
    return _power(Fraction(phase.compute_s) / room, 1 / Fraction(phase.beta))[0]


def _power(base: Fraction, exponent: Fraction) -> _Ends:
    """Ends of an interval that holds ``base ** exponent``, base > 0."""
    if exponent == 0:
        return Fraction(1), Fraction(1)
    argument = _DIGITS.multiply(_decimal(exponent), _DIGITS.ln(_decimal(base)))
    value = Fraction(_DIGITS.exp(argument))
    return value * (1 - _MARGIN), value * (1 + _MARGIN)


def _logarithm(ratio: Fraction) -> _Ends:
    """Ends of an interval that holds ``log(ratio)``, ratio > 0."""
    value = Fraction(_DIGITS.ln(_decimal(ratio)))
    return value - _MARGIN, value + _MARGIN


def _decimal(value: Fraction) -> Decimal:
    return _DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))
