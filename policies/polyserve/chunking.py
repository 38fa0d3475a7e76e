"""How many prompt tokens an iteration may carry beside the decodes (PolyServe, section 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orsched.checks import check_whole

Seconds = Callable[[int], float]
"""Duration of an iteration by a whole number, which it never falls with."""


class ChunkRule(Protocol):
    """How large a chunk of prompt is."""

    @property
    def kept_tokens(self) -> int:
        """Tokens per iteration that a prompt can count on; 0: none."""
        ...

    def __call__(self, iteration_s: Seconds, spent: int, left: int, tpot_s: float, /) -> int:
        """Return the tokens of a chunk.

        Parameters
        ----------
        iteration_s : callable
            Duration of the iteration with a chunk of so many tokens, seconds.
        spent : int
            Prompt tokens that the iteration carries already.
        left : int
            Tokens that are left of the prompt, at least 1.
        tpot_s : float
            Time per output token of the server's tier, seconds.
        """
        ...

    def near_s(self, iteration_s: Seconds, tpot_s: float, /) -> float:
        """Return how long an iteration takes, at most, that carries as much prompt as the rule allows; seconds."""
        ...


@dataclass(frozen=True, slots=True)
class DynamicChunks:
    """What the tier's time per token leaves after the decodes: ``max {c : T(B + c, K) <= TPOT}``.

    Parameters
    ----------
    least_tokens : int
        Tokens that an iteration carries in any case, so that prompts move on even when the decodes alone take too long
        (ours).
    """

    least_tokens: int = 32

    def __post_init__(self) -> None:
        check_whole(self, "least_tokens")

    @property
    def kept_tokens(self) -> int:
        """The least chunk."""
        return self.least_tokens

    def __call__(self, iteration_s: Seconds, spent: int, left: int, tpot_s: float, /) -> int:
        """Return the largest chunk in time, or what is missing to the least."""
        least = self.least_tokens - spent
        if least < 0:
            least = 0
        return left if left <= least else largest_within(iteration_s, tpot_s, least + 1, left)

    def near_s(self, iteration_s: Seconds, tpot_s: float, /) -> float:
        """Return the tier's time per token, which chunks are filled up to, or more where the least chunk takes more."""
        return max(tpot_s, iteration_s(self.least_tokens))


@dataclass(frozen=True, slots=True)
class FixedChunks:
    """A fixed number of prompt tokens per iteration, however long it then takes.

    Parameters
    ----------
    tokens : int
        How many.
    """

    tokens: int

    def __post_init__(self) -> None:
        check_whole(self, "tokens")

    @property
    def kept_tokens(self) -> int:
        """Nothing: the tier's time per token does not matter."""
        return 0

    def __call__(self, iteration_s: Seconds, spent: int, left: int, tpot_s: float, /) -> int:
        """Return what is left of the prompt and of the budget."""
        return min(left, max(self.tokens - spent, 0))

    def near_s(self, iteration_s: Seconds, tpot_s: float, /) -> float:
        """Return the time of an iteration with a full chunk."""
        return iteration_s(self.tokens)


def largest_within(function: Seconds, bound: float, low: int, high: int) -> int:
    """Largest whole number from `low` to `high` at which a function that never falls is at most `bound`.

    ``low - 1`` when there is none. Each round draws a chord, then a tangent, and halves what is left if that was not
    enough: an affine function costs four evaluations, a convex one a few more, none more than four times halving alone.
    """
    if low > high:
        return low - 1
    if (at_high := function(high)) <= bound:
        return high
    if (at_low := function(low)) > bound:
        return low - 1
    while high - low > 1:
        width = high - low
        steps = int((bound - at_low) / (at_high - at_low) * width)
        if 0 < steps < width:
            value = function(low + steps)
            if value <= bound:
                low, at_low = low + steps, value
            else:
                high, at_high = low + steps, value
        if high - low > 1:
            value = function(low + 1)
            if value > bound:
                return low
            slope, low, at_low = value - at_low, low + 1, value
            steps = int((bound - at_low) / slope) + 1 if slope > 0 else high - low
            if steps < high - low:
                value = function(low + steps)
                if value <= bound:
                    low, at_low = low + steps, value
                else:
                    high, at_high = low + steps, value
        if 2 * (high - low) > width and high - low > 1:
            middle = (low + high) // 2
            value = function(middle)
            if value <= bound:
                low, at_low = middle, value
            else:
                high, at_high = middle, value
    return low
