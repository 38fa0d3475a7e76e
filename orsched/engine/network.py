"""The network: transfers between instances, which share the bandwidth of their links."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from orsched.engine.calendar import Appointment, Calendar
from orsched.link import Link

Done = Callable[[float], None]


class Flow:
    """Bytes on their way from one instance to another; only the network changes it."""

    __slots__ = ("_end", "done", "left", "rate", "settled_s", "source", "target")

    def __init__(self, source: int, target: int, size_bytes: float, done: Done) -> None:
        self.source = source
        self.target = target
        self.left = size_bytes
        self.rate = 0.0
        self.settled_s = 0.0
        self.done = done
        self._end: Appointment | None = None

    def book(self, calendar: Calendar, callback: Done, time_s: float) -> None:
        """Let `callback` be the next thing that happens to it."""
        self.unbook()
        self._end = calendar.at(time_s, callback)

    def unbook(self) -> None:
        """Let nothing happen to it for now."""
        if self._end is not None and self._end.pending:
            self._end.void()
        self._end = None


class Network:
    """Transfers at the smaller of two equal shares: of the source's outgoing and of the target's incoming bandwidth.

    What starts or ends changes the rates of the transfers on the same two links only, so an event costs as much as
    there are transfers on them.

    Parameters
    ----------
    links : sequence of Link
        One per instance.
    calendar : Calendar
        Where ends of transfers are booked.
    """

    __slots__ = ("_calendar", "_factors", "_incoming", "_links", "_outgoing")

    def __init__(self, links: Sequence[Link], calendar: Calendar) -> None:
        self._links = links
        self._calendar = calendar
        self._factors = [1.0] * len(links)
        self._outgoing: list[dict[Flow, None]] = [{} for _ in links]
        self._incoming: list[dict[Flow, None]] = [{} for _ in links]

    def send(self, source: int, target: int, size_bytes: float, done: Done, now_s: float, delay_s: float = 0.0) -> Flow:
        """Start a transfer; ``done(time_s)`` is called once its last byte has arrived.

        Its first byte leaves after `delay_s` and the longer of the two latencies.
        """
        flow = Flow(source, target, size_bytes, done)
        delay_s += max(self._links[source].latency_s, self._links[target].latency_s)
        if delay_s:
            flow.book(self._calendar, lambda time_s: self._join(flow, time_s), now_s + delay_s)
        else:
            self._join(flow, now_s)
        return flow

    def cancel(self, flow: Flow, now_s: float) -> None:
        """Stop a transfer that is not done; its `done` is never called."""
        flow.unbook()
        if flow in self._outgoing[flow.source]:
            self._part(flow, now_s)

    def slow(self, instance: int, factor: float, now_s: float) -> None:
        """Leave `factor` of the bandwidth of an instance's link, in both directions; 0 stalls what is on it."""
        self._factors[instance] = factor
        self._share((*self._outgoing[instance], *self._incoming[instance]), now_s)

    def _join(self, flow: Flow, now_s: float) -> None:
        flow.settled_s = now_s
        self._outgoing[flow.source][flow] = None
        self._incoming[flow.target][flow] = None
        self._share_beside(flow, now_s)

    def _part(self, flow: Flow, now_s: float) -> None:
        del self._outgoing[flow.source][flow], self._incoming[flow.target][flow]
        self._share_beside(flow, now_s)

    def _share_beside(self, flow: Flow, now_s: float) -> None:
        self._share((*self._outgoing[flow.source], *self._incoming[flow.target]), now_s)

    def _share(self, flows: Iterable[Flow], now_s: float) -> None:
        """Give flows their present shares, and book their ends anew where that changes them."""
        for flow in flows:
            rate = min(self._rate(flow.source, self._outgoing), self._rate(flow.target, self._incoming))
            if rate == flow.rate:
                continue
            if flow.rate < math.inf:
                flow.left = max(0.0, flow.left - flow.rate * (now_s - flow.settled_s))
            flow.settled_s, flow.rate = now_s, rate
            if rate:
                end_s = now_s if rate == math.inf else now_s + flow.left / rate
                flow.book(self._calendar, self._ending(flow), end_s)
            else:
                flow.unbook()

    def _rate(self, instance: int, flows: list[dict[Flow, None]]) -> float:
        factor = self._factors[instance]
        return self._links[instance].bytes_per_s * factor / len(flows[instance]) if factor else 0.0

    def _ending(self, flow: Flow) -> Done:
        def end(now_s: float) -> None:
            self._part(flow, now_s)
            flow.done(now_s)

        return end
