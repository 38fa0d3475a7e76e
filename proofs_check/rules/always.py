"""The inequality must hold on every instance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from proofs_check.rules.rule import Draws, Finding

SHARE = 0.01
"""A statement that is false on this share of the draws is caught with the confidence that `Always` reports."""


@dataclass(frozen=True, slots=True)
class Always:
    """Slack >= 0 on every sampled instance; all are drawn, so that the tightest is the witness.

    The confidence is the probability of meeting a violation of a statement that is false on 1% of the draws. A true
    statement is never found false.

    Parameters
    ----------
    instances, quick_instances : int
        How many to draw; 459 give a confidence of 99%.
    tolerance : float
        Rounding allowance, in the unit of the slack.
    """

    instances: int = 459
    quick_instances: int = 25
    tolerance: float = 1e-9

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Find the tightest of the draws."""
        count = min(self.quick_instances, self.instances) if quick else self.instances
        return _tightest(draws, count, self.tolerance, 1 - (1 - SHARE) ** count)


@dataclass(frozen=True, slots=True)
class Exhaustive:
    """Slack >= 0 on each of finitely many instances (`Claim.cases`).

    The confidence is 1 when all were seen: the statement is decided, for these instances. A quick check of some of
    them reports 0.

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
        complete = next(draws, None) is None
        return finding if complete else Finding(finding.true, finding.slack, finding.witness, finding.instances, 0.0)


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
    slack, witness = min(found, key=itemgetter(0))
    return Finding(slack >= -tolerance, slack, witness, len(found), confidence)
