"""Replicate until an interval is narrow enough."""

from __future__ import annotations

import math
from collections.abc import Callable

from orsched.statistics.estimate import Estimate, estimate
from orsched.statistics.stop_rule import StopRule


def replicate_until(rule: StopRule, observe: Callable[[int], float], level: float = 0.95) -> Estimate:
    """Observe replications 0, 1, 2, ... until the rule is satisfied.

    With a relative half-width ``g`` about the estimate, the relative error against the true mean is at most
    ``g / (1 - g)`` with the interval's probability (Law, Simulation Modeling and Analysis, section 9.4.1). The number
    of replications is random, which costs coverage when it is small; docs/statistics.md has what was measured.

    Parameters
    ----------
    rule : StopRule
        Target, and the least and the most replications.
    observe : callable
        From the number of a replication to its value; replications must be independent.
    level : float
        In (0, 1).

    Returns
    -------
    Estimate
        ``rule.reached`` says whether it is precise enough or `StopRule.most` ended it.
    """
    values = [observe(number) for number in range(rule.least)]
    current = estimate(values, level)
    while not rule.done(current):
        values.append(observe(len(values)))
        current = estimate(values, level)
    return current


def expected_replications(rule: StopRule, current: Estimate) -> int:
    """Replications the rule will need in all, as the spread seen so far has it; at least those already run.

    The half-width shrinks with the root of the number. Without an interval or about a mean of zero: `StopRule.most`.
    """
    if rule.done(current):
        return current.n
    relative = current.relative_half_width
    if relative is None:
        return rule.most
    ratio = relative / rule.relative_half_width
    if ratio >= math.sqrt(rule.most):
        return rule.most
    needed = math.ceil(current.n * ratio**2)
    return min(rule.most, max(rule.least, current.n + 1, needed))
