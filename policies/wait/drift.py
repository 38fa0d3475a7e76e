"""Decay of Nested WAIT's boundary queues (arXiv 2504.11320): the exponent theta_k, and the risk it is bought for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orsched.checks import check_number, require_number, require_whole
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class OverflowRisk:
    """With what probability the boundary queues may outgrow their memory, and within how long.

    The paper leaves both to the user; the defaults are ours.

    Parameters
    ----------
    probability : float
        ``delta``, between 0 and 1.
    horizon_iterations : float
        ``zeta T / d0``: iterations within the horizon, at most; up to 1e18.

    Raises
    ------
    InputError
        When a field is not so.
    """

    probability: float = 0.01
    horizon_iterations: float = 1e6

    def __post_init__(self) -> None:
        check_number(self, "probability", above=True, most=1, below=True)
        check_number(self, "horizon_iterations", above=True, most=1e18)

    def log(self, segments: int) -> float:
        """``ln(L (1 + zeta T / d0) / delta)`` for L segments."""
        return math.log(segments * (1 + self.horizon_iterations) / self.probability)


def theta_root(entering: int, threshold: int, survival: float) -> float:
    """Positive root of ``exp(-theta n_k) (1 - p + p e^theta)^n_{k-1} = 1``.

    The boundary queue of segment k exceeds ``n_k + x`` at one of ``B`` reviews with probability at most
    ``B exp(-theta_k x)`` (arXiv 2504.11320, memory requirement of Nested WAIT, journal revision).

    Parameters
    ----------
    entering, threshold : int
        ``n_{k-1}`` and ``n_k``.
    survival : float
        ``p_k``, with ``0 < p_k < n_k / n_{k-1} < 1``; then the root exists and is unique.

    Raises
    ------
    InputError
        When the arguments are not so.
    """
    for name, value in (("entering", entering), ("threshold", threshold)):
        require_whole(f"theta_root: {name}", value)
    require_number("theta_root: survival", survival, most=1)
    if not 0 < survival < threshold / entering < 1:
        raise InputError(
            f"theta_root: p_k = {survival:g} and n_k / n_(k-1) = {threshold} / {entering}: "
            "a positive root needs 0 < p_k < n_k / n_(k-1) < 1"
        )
    from scipy.optimize import brentq

    def exponent(theta: float) -> float:
        # exp(theta) is factored out, so that large theta do not overflow
        growth = theta + math.log(survival + (1 - survival) * math.exp(-theta))
        return entering * growth - threshold * theta

    ratio = threshold / entering
    high = 1.0
    while exponent(high) <= 0:
        high *= 2
    low = 4 * (ratio - survival)
    while exponent(low) >= 0:
        low /= 2
    return float(brentq(exponent, low, high, xtol=1e-15, rtol=1e-14))
