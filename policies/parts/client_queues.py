"""Waiting requests by client, and which client has received the least service."""

from __future__ import annotations

import math
from collections.abc import Collection

from policies.parts.token_counters import Client, TokenPrices


class ClientQueues:
    """The clients of one instance; they are discovered as their requests arrive.

    Counters of clients with running requests grow in every iteration, the others stand still. So the smallest is found
    among the running requests' clients and the first of those that stand still, whatever the number of clients.

    Parameters
    ----------
    prices : TokenPrices
        What a token counts.
    """

    __slots__ = ("_clients", "_last_emptied", "_moving", "_prices", "_residents", "_still", "_still_at")

    def __init__(self, prices: TokenPrices) -> None:
        from sortedcontainers import SortedList

        self._prices = prices
        self._clients: dict[int, Client] = {}
        self._residents: dict[int, tuple[Client, int]] = {}
        self._last_emptied: Client | None = None
        # Clients with waiting requests: those with running ones, and the others by counter.
        self._moving: set[int] = set()
        self._still = SortedList()
        self._still_at: dict[int, float] = {}

    def arrive(self, request: int, name: int, iterations: int) -> None:
        """Queue a request of client `name`; lift the client's counter if it had nothing waiting.

        It is lifted to the least counter of the clients with waiting requests, or when there are none to that of the
        client whose queue was the last to become empty.
        """
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = Client(self._prices, self._prices.weights.get(name, 1.0))
        if not client.waiting:
            least = self.least(iterations)
            other = self._clients[least] if least is not None else self._last_emptied
            if other is not None:
                client.lift(other.counter(iterations), iterations)
        client.waiting.append(request)
        self._place(name, iterations)

    def follow(self, residents: Collection[int], iterations: int) -> None:
        """Take note of the requests that have left: those admitted before and not among `residents` any more."""
        if len(self._residents) == len(residents):
            return
        for request in self._residents.keys() - residents:
            client, start = self._residents.pop(request)
            client.leave(start, iterations)
        for name in [name for name in self._moving if not self._clients[name].running]:
            self._place(name, iterations)

    def least(self, iterations: int) -> int | None:
        """Client with the smallest counter among those with waiting requests, ties to the smaller name."""
        candidates = [(self._clients[name].counter(iterations), name) for name in self._moving]
        if self._still:
            candidates.append(self._still[0])
        return min(candidates)[1] if candidates else None

    def counter(self, name: int, iterations: int) -> float:
        """Counter of a client; 0 for one that is not known."""
        client = self._clients.get(name)
        return client.counter(iterations) if client else 0.0

    def head(self, name: int) -> int:
        """First waiting request of a client that has one."""
        return self._clients[name].waiting[0]

    def admit(self, name: int, input_tokens: int, iterations: int) -> None:
        """Take the first waiting request of a client out, to start in the next iteration."""
        client = self._clients[name]
        self._residents[client.waiting.popleft()] = client, iterations
        client.admit(input_tokens, iterations)
        self._place(name, iterations)
        if not client.waiting:
            self._last_emptied = client

    def overtaken_after(self, name: int, iterations: int) -> float:
        """Iterations before which no other client's counter becomes smaller than that of `name`, the smallest now."""
        client = self._clients[name]
        counter, rate = client.counter(iterations), client.rate
        after = math.inf
        if self._still and self._still[0][1] != name and rate > 0:
            after = (self._still[0][0] - counter) / rate
        for other_name in self._moving:
            other = self._clients[other_name]
            if other.rate < rate:
                after = min(after, (other.counter(iterations) - counter) / (rate - other.rate))
        return after

    def _place(self, name: int, iterations: int) -> None:
        """Put a client where its counter is looked for."""
        self._moving.discard(name)
        if name in self._still_at:
            self._still.remove((self._still_at.pop(name), name))
        client = self._clients[name]
        if client.waiting and client.running:
            self._moving.add(name)
        elif client.waiting:
            self._still_at[name] = client.counter(iterations)
            self._still.add((self._still_at[name], name))
