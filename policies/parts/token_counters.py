"""Service received by clients, in weighted tokens: the counters of virtual token counter scheduling."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orsched.checks import check_is, require_number

MOST_PRICE = 1e9
"""Largest price and weight (ours), so that counters stay precise."""


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """What a token counts.

    Parameters
    ----------
    input_price, output_price : float
        Of an input token, charged at admission, and of an output token, charged when it is emitted; above 0, at most
        `MOST_PRICE`.
    weights : mapping of int to float
        Share of each client, in the same range; 1 for those that are not named.
    """

    input_price: float = 1.0
    output_price: float = 2.0
    weights: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_is(self, "weights", Mapping)
        numbers = {"input_price": self.input_price, "output_price": self.output_price}
        numbers |= {f"weights[{client}]": weight for client, weight in self.weights.items()}
        for name, value in numbers.items():
            require_number(name, value, above=True, most=MOST_PRICE)


class Client:
    """One client's waiting requests and the service it has received.

    Attributes
    ----------
    waiting : deque of int
        First come first served.
    running : int
        Its admitted requests; each emits a token in every iteration.
    """

    __slots__ = ("_inputs", "_lift", "_outputs", "_prices", "_starts", "_weight", "running", "waiting")

    def __init__(self, prices: TokenPrices, weight: float) -> None:
        self._prices = prices
        self._weight = weight
        self._lift = 0.0
        self._inputs = self._outputs = self._starts = 0
        self.running = 0
        self.waiting: deque[int] = deque()

    @property
    def rate(self) -> float:
        """What the counter grows by in an iteration."""
        return self._prices.output_price * self.running / self._weight

    def counter(self, iterations: int) -> float:
        """Weighted tokens received, over the weight, and what the counter was lifted by.

        Output tokens are counted when it is asked: tokens of those that have left, and for each running request the
        iterations since it was admitted. They are whole numbers, so that it does not matter how often it is asked.
        """
        outputs = self._outputs + self.running * iterations - self._starts
        prices = self._prices
        return self._lift + (prices.input_price * self._inputs + prices.output_price * outputs) / self._weight

    def lift(self, level: float, iterations: int) -> None:
        """Raise the counter to `level` if it is below."""
        self._lift += max(0.0, level - self.counter(iterations))

    def admit(self, input_tokens: int, iterations: int) -> None:
        """Charge the prompt of a request that starts in the next iteration."""
        self._inputs += input_tokens
        self._starts += iterations
        self.running += 1

    def leave(self, start: int, iterations: int) -> None:
        """A request admitted at iteration `start` has emitted its last token in the iteration before `iterations`."""
        self._outputs += iterations - start
        self._starts -= start
        self.running -= 1
