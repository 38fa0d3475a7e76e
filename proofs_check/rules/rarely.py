"""The inequality may be violated, but not too often."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orsched.errors import InputError
from proofs_check.rules.rule import Draws, Finding


@dataclass(frozen=True, slots=True)
class Rarely:
    """The probability of a negative slack is at most `limit`, tested sequentially on independent draws.

    Wald's sequential probability ratio test between the probabilities `limit` and ``ratio * limit``. It stops when the
    likelihood ratio passes ``1 / error`` or `error`, so that a statement that is wrong by the factor `ratio` or more is
    found true with probability at most `error`, and a true one is found false with probability at most `error`
    (Ville's inequality: no approximation). One that is wrong by less may be found either. Without a decision after
    `most` draws it is undecided.

    Parameters
    ----------
    limit : float
        Claimed upper limit of the probability, strictly between 0 and ``1 / ratio``.
    ratio : float
        Factor between the probability that must be accepted and the one that must be caught; > 1.
    most, quick_most : int
        Most draws.
    error : float
        Probability of a wrong answer.
    """

    limit: float
    ratio: float = 2.0
    most: int = 20_000
    quick_most: int = 2_000
    error: float = 1e-3

    def __post_init__(self) -> None:
        if not self.ratio > 1:
            raise InputError(f"ratio = {self.ratio}: must be > 1")
        if not 0 < self.limit < 1 / self.ratio:
            raise InputError(f"limit = {self.limit}: must be strictly between 0 and 1 / ratio = {1 / self.ratio:g}")

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Draw until the likelihood ratio has decided."""
        high = self.ratio * self.limit
        on_event, on_none = math.log(high / self.limit), math.log((1 - high) / (1 - self.limit))
        stop = -math.log(self.error)
        most = min(self.quick_most, self.most) if quick else self.most
        evidence = 0.0
        events = drawn = 0
        while drawn < most and abs(evidence) < stop:
            slack, _ = next(draws)
            drawn += 1
            violated = slack < 0
            events += violated
            evidence += on_event if violated else on_none
        true = None if abs(evidence) < stop else evidence < 0
        frequency = events / drawn
        estimate = {"frequency": frequency, "limit": self.limit, "caught_from": high, "events": events}
        # Where events push the evidence neither way.
        between = -on_none / (on_event - on_none)
        return Finding(true, between - frequency, estimate, drawn, 1 - self.error)
