"""Whether a published number is reproduced: decided by intervals, under rules that the page states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orsched.statistics.estimate import Estimate

PRECISION = 0.25
"""Largest half-width of one of our intervals, relative to its mean, that a published mean is compared with."""

RULES = (
    "A mean is *reproduced* when the published value lies in our 95% interval widened on both sides by the published "
    "standard deviation, if there is one.",
    "A gain, how much lower one policy's mean is than another's, is reproduced when our 95% interval of it, paired by "
    "sample path, excludes zero and meets the published value or range.",
    "An order of policies is reproduced when the interval of every paired difference in it excludes zero on the "
    "published side.",
    "A mean grows with the number of requests when the interval of the paired difference lies above zero, and levels "
    "off otherwise.",
    "A computed constant is reproduced when it agrees to the relative error that the rounding of the published "
    "numbers allows.",
    "A number is *not comparable* when its source is known not to be a measurement of what we ran; when we have no "
    "such cell; when our policy did not keep up at that rate, or the load is 1 or more, and the source does not say "
    "how many requests it served, because such a mean grows with their number; or when our interval is wider than "
    f"{PRECISION:.0%} of our mean on either side.",
    "Everything else is *not reproduced*.",
)
"""The rules in words."""


class Outcome(StrEnum):
    """What can be said about a published number."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and what it rests on, in a few words."""

    outcome: Outcome
    reason: str = ""


def not_comparable(reason: str) -> Verdict:
    """A number that must not be compared."""
    return Verdict(Outcome.NOT_COMPARABLE, reason)


def judge_mean(published: float, published_sd: float | None, ours: Estimate) -> Verdict:
    """Compare a published mean with ours."""
    half_width = ours.half_width
    if half_width is None or half_width > PRECISION * abs(ours.mean):
        return not_comparable("our interval is too wide to tell")
    if abs(published - ours.mean) <= half_width + (published_sd or 0.0):
        return Verdict(Outcome.REPRODUCED)
    times = f"{ours.mean / published:.2f} times it" if published else f"{ours.mean:.4g}"
    return Verdict(Outcome.NOT_REPRODUCED, f"magnitude differs: ours is {times}")


def judge_gain(low: float, high: float, ours: Estimate) -> Verdict:
    """Compare a published relative gain, a value (``low == high``) or a range, with ours; gains are fractions."""
    least, most = interval(ours)
    if least <= 0 <= most:
        return Verdict(Outcome.NOT_REPRODUCED, "ordering not shown: our interval contains 0")
    if least <= high and low <= most:
        return Verdict(Outcome.REPRODUCED)
    same = (ours.mean > 0) == (low + high > 0)
    return Verdict(Outcome.NOT_REPRODUCED, "same ordering, magnitude differs" if same else "opposite ordering")


def judge_order(differences: Mapping[str, Estimate]) -> Verdict:
    """Compare a published order with ours.

    Parameters
    ----------
    differences : mapping of str to Estimate
        For each pair, the paired difference of the mean that should be larger minus the other.
    """
    undecided = [pair for pair, value in differences.items() if interval(value)[0] <= 0 <= interval(value)[1]]
    opposite = [pair for pair, value in differences.items() if interval(value)[1] < 0]
    if opposite:
        return Verdict(Outcome.NOT_REPRODUCED, f"opposite ordering of {'; '.join(opposite)}")
    if undecided:
        return Verdict(Outcome.NOT_REPRODUCED, f"ordering not shown for {'; '.join(undecided)}")
    return Verdict(Outcome.REPRODUCED)


def judge_growth(grows: bool, growth: Estimate) -> Verdict:
    """Compare whether a mean grows with the number of requests: it does when the interval of `growth` is above 0."""
    ours = interval(growth)[0] > 0
    if ours == grows:
        return Verdict(Outcome.REPRODUCED)
    return Verdict(Outcome.NOT_REPRODUCED, "it grows here" if ours else "growth not shown here")


def judge_constant(published: float, tolerance: float, ours: float) -> Verdict:
    """Compare a computed number with a published one that is good to the relative `tolerance`."""
    error = ours / published - 1
    if abs(error) <= tolerance:
        return Verdict(Outcome.REPRODUCED)
    return Verdict(Outcome.NOT_REPRODUCED, f"ours differs by {error:+.2%}")


def interval(value: Estimate) -> tuple[float, float]:
    """Both ends; everything when one observation gives no interval."""
    half_width = float("inf") if value.half_width is None else value.half_width
    return value.mean - half_width, value.mean + half_width
