"""The inequality must hold on every instance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import islice

from proofs_check.rules.rule import Draws, Finding

SHARE = 0.01
"""A statement that is false on this share of the draws is caught with the confidence that `Always` reports."""


@dataclass(frozen=True, slots=True)
class Always:
    """Slack >= 0 on every sampled instance; all are drawn, so that the tightest is the witness.

    The confidence is the probability of meeting a violation of a statement that is false on 1% of the draws.

    Parameters
    ----------
    instances, quick_instances : int
        How many to draw.
    tolerance : float
        Rounding allowance, in the unit of the slack.
    """

    instances: int = 300
    quick_instances: int = 25
    tolerance: float = 1e-9

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Find the tightest of the draws."""
        count = self.quick_instances if quick else self.instances
        return _tightest(draws, count, self.tolerance, 1 - (1 - SHARE) ** count)


@dataclass(frozen=True, slots=True)
class Exhaustive:
    """Slack >= 0 on each of finitely many instances (`Claim.cases`).

    Parameters
    ----------
    quick_instances : int
        How many of the first ones a quick check takes.
    tolerance : float
        Rounding allowance, in the unit of the slack.
    """

    quick_instances: int
    tolerance: float = 0.0

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Go through all of them."""
        finding = _tightest(draws, self.quick_instances if quick else None, self.tolerance, 1.0)
        return replace(finding, confidence=0.0) if quick else finding


@dataclass(frozen=True, slots=True)
class Once:
    """One experiment whose slack is negative with at most a stated probability when the statement is true.

    For statements whose inequality is itself a test: an interval for an exponent, a run against a published number.

    Parameters
    ----------
    confidence : float
        Of the experiment; 1 where nothing is random.
    tolerance : float
        Rounding allowance, in the unit of the slack.
    """

    confidence: float
    tolerance: float = 0.0

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Do it."""
        return _tightest(draws, 1, self.tolerance, self.confidence)


def _tightest(draws: Draws, count: int | None, tolerance: float, confidence: float) -> Finding:
    found = list(islice(draws, count))
    slack, witness = min(found, key=lambda draw: _order(draw[0]))
    return Finding(slack >= -tolerance, slack, witness, len(found), confidence)


def _order(slack: float) -> float:
    """Smallest first, and what is no number before everything."""
    return -math.inf if math.isnan(slack) else slack
