"""The inequality may be violated, but not too often."""

from __future__ import annotations

import math
from dataclasses import dataclass

from proofs_check.rules.rule import Draws, Finding


@dataclass(frozen=True, slots=True)
class Rarely:
    """The probability of a negative slack is at most `limit`, tested sequentially on independent draws.

    Wald's sequential probability ratio test between the probabilities `limit` and ``ratio * limit``: a statement that
    is wrong by the factor `ratio` or more is found true with probability at most `error`, a true one is found false
    with probability at most `error`. Without a decision after `most` draws it is undecided.

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

    def decide(self, draws: Draws, quick: bool) -> Finding:
        """Draw until the likelihood ratio has decided."""
        high = min(self.ratio * self.limit, 1 - 1e-12)
        on_event, on_none = math.log(high / self.limit), math.log((1 - high) / (1 - self.limit))
        stop = math.log((1 - self.error) / self.error)
        most = self.quick_most if quick else self.most
        ratio = 0.0
        events = drawn = 0
        while drawn < most and abs(ratio) < stop:
            slack, _ = next(draws)
            drawn += 1
            violated = not slack >= 0
            events += violated
            ratio += on_event if violated else on_none
        true = None if abs(ratio) < stop else ratio < 0
        frequency = events / drawn
        estimate = {"frequency": frequency, "limit": self.limit, "events": events}
        return Finding(true, self.limit - frequency, estimate, drawn, 1 - self.error)
