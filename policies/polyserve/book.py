"""What the router remembers of one server, and how it catches up with what has happened there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from policies.polyserve.deadlines import Pace
from policies.polyserve.residents import Residents

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView
    from policies.polyserve.peaks import Peak


class Queued(NamedTuple):
    """A request on a server that does not decode yet.

    Parameters
    ----------
    kv_tokens : int
        KV tokens that it starts to decode with.
    remaining : int
        Iterations from there.
    committed_tokens : int
        KV tokens at its expected end: its prompt and an average output.
    """

    kv_tokens: int
    remaining: int
    committed_tokens: int


class Book:
    """One server's requests as the admission tests see them.

    Attributes
    ----------
    residents : Residents
        Those that decode.
    count : int
        All of them and the others.
    queued_tokens : int
        KV tokens that the others start to decode with, together.
    committed_tokens : int
        KV tokens of all requests together, each at its expected end: prompts and average outputs.
    in_system, evictions : int
        The server's own counts when it was looked at last; `in_system` includes those sent there since.
    beside : int, optional
        A lower bound of `Peak.beside` for any new request, at `tick`; None: not known. It is what the requests of the
        book are going to hold at one tick to come, so that it is kept up when some come or leave.
    tick : int
        Tick of the server's clock that `beside` is about.
    pace : Pace, optional
        How fast prompts get on, until a request comes or leaves; None when not known.
    """

    __slots__ = (
        "_groups",
        "_known",
        "_queue",
        "_ticks",
        "_whole",
        "beside",
        "committed_tokens",
        "count",
        "evictions",
        "in_system",
        "pace",
        "queued_tokens",
        "residents",
        "tick",
    )

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing, as at first."""
        self.residents = Residents()
        self._known: dict[int, tuple[int, int]] = {}
        self._queue: dict[int, Queued] = {}
        self._groups: dict[int, list[int]] = {}
        self.count = 0
        self.queued_tokens = 0
        self.committed_tokens = 0
        self.in_system = -1
        self.evictions = 0
        self.beside: int | None = None
        self.tick = self._ticks = 0
        self._whole = False
        self.pace: Pace | None = None

    @property
    def growing(self) -> int:
        """Requests whose growth begins later the later they decode, with a new one: what `beside` falls by a tick."""
        return len(self._queue) + 1

    def learn(self, peak: Peak, tick: int) -> None:
        """Take `peak.beside`, found at `tick`, for the bound: that of a new request which lasts no longer than any."""
        self.beside, self.tick, self._ticks, self._whole = peak.beside, tick, peak.ticks, peak.whole

    def advance(self, tick: int) -> None:
        """Let time pass to `tick`, as far as `beside` is concerned."""
        if self.beside is not None:
            passed = tick - self.tick
            self.beside -= self.growing * passed
            self._ticks -= passed
        self.tick = tick

    def send(self, request: int, entry: Queued, shortest: int) -> None:
        """Note that a request is on its way to the server.

        When the others hold `beside`, it holds what it starts with and as many tokens as there are iterations until
        then, if it lasts for `shortest` iterations, as any new request does. (Fewer than it holds, once that is past.)
        """
        self.in_system += 1
        if self.beside is not None:
            self.beside = None if entry.remaining < shortest else self.beside + entry.kv_tokens + self._ticks
        self._put(request, entry)
        self.pace = None

    @property
    def queued(self) -> list[tuple[int, int, int]]:
        """Those who do not decode yet, by expected iterations: (iterations, requests, KV tokens)."""
        return [(remaining, count, tokens) for remaining, (count, tokens) in self._groups.items()]

    def catch_up(self, view: FleetView, server: int, lengths: Sequence[int], least_remaining: int) -> None:
        """Make it true now.

        Parameters
        ----------
        view : FleetView
            The fleet.
        server : int
            Whose book it is.
        lengths : sequence of int
            Average output tokens of each workload class.
        least_remaining : int
            Iterations that a request is expected to go on at least.
        """
        self.advance(view.clock(server))
        self._follow_residents(view, server, lengths)
        self.in_system = view.in_system(server)
        if self.count != self.in_system or self.evictions != view.evictions(server):
            self.evictions = view.evictions(server)
            self.beside = None
            for request in list(self._queue):
                self._take(request)
            for request in (*view.waiting(server), *view.prefilling(server)):
                self._put(request, entry_of(view, request, 1, lengths, least_remaining))
            for request in view.coming(server):
                self._put(request, entry_of(view, request, 0, lengths, least_remaining))

    def _follow_residents(self, view: FleetView, server: int, lengths: Sequence[int]) -> None:
        contexts, known, residents = view.contexts(server), self._known, self.residents
        joined = []
        for request in reversed(contexts):
            found = known.get(request)
            if found is not None and found[0] == contexts[request]:
                break
            joined.append(request)
        for request in joined:
            if request in known:
                self._forget_resident(request)
        if len(known) + len(joined) > len(contexts):
            for request in known.keys() - contexts.keys():
                self._forget_resident(request)
        for request in reversed(joined):
            self._take(request)
            base = contexts[request]
            due = lengths[view.label(request)] + view.input_tokens(request) - 1 - base
            known[request] = base, due
            residents.join(request, base, due)
            self.count += 1
            self.committed_tokens += base + due + 1

    def _forget_resident(self, request: int) -> None:
        base, due = self._known.pop(request)
        self.residents.leave(request, base, due)
        if self.beside is not None and (self._whole or due >= self.tick + self._ticks):
            self.beside -= base + self.tick + self._ticks
        self.count -= 1
        self.committed_tokens -= base + due + 1

    def _put(self, request: int, entry: Queued) -> None:
        self._queue[request] = entry
        self.count += 1
        group = self._groups.setdefault(entry.remaining, [0, 0])
        group[0] += 1
        group[1] += entry.kv_tokens
        self.queued_tokens += entry.kv_tokens
        self.committed_tokens += entry.committed_tokens

    def _take(self, request: int) -> None:
        entry = self._queue.pop(request, None)
        if entry is None:
            return
        self.count -= 1
        group = self._groups[entry.remaining]
        group[0] -= 1
        group[1] -= entry.kv_tokens
        if not group[0]:
            del self._groups[entry.remaining]
        self.queued_tokens -= entry.kv_tokens
        self.committed_tokens -= entry.committed_tokens


def entry_of(view: FleetView, request: int, emits: int, lengths: Sequence[int], least_remaining: int) -> Queued:
    """What is expected of a request that is going to decode; it emits `emits` tokens before that."""
    kv_tokens = view.prompt_tokens(request) + emits - 1
    committed = view.input_tokens(request) + lengths[view.label(request)]
    return Queued(kv_tokens, max(committed - kv_tokens - 1, least_remaining), committed)
