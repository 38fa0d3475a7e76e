"""What the router remembers of one server, and how it catches up with what has happened there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from policies.polyserve.deadlines import Pace
from policies.polyserve.residents import Residents

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


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
        A lower bound of `Peak.beside` for any new request, at `tick`, for as long as nobody leaves; None: not known.
    tick : int
        Tick of the server's clock that `beside` is about.
    pace : Pace, optional
        How fast prompts get on, until a request comes or leaves; None when not known.
    """

    __slots__ = (
        "_groups",
        "_known",
        "_queue",
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
        self.tick = 0
        self.pace: Pace | None = None

    @property
    def growing(self) -> int:
        """Requests whose growth begins later the later they decode, with a new one: what `beside` falls by a tick."""
        return len(self._queue) + 1

    def advance(self, tick: int) -> None:
        """Let time pass to `tick`, as far as `beside` is concerned."""
        if self.beside is not None:
            self.beside -= self.growing * (tick - self.tick)
        self.tick = tick

    def send(self, request: int, entry: Queued, shortest: int, least_remaining: int) -> None:
        """Note that a request is on its way to the server.

        It holds what it starts with and `least_remaining` iterations more whenever a new request of at least `shortest`
        iterations is there, if it lasts as long itself.
        """
        self.in_system += 1
        if self.beside is not None:
            self.beside = None if entry.remaining < shortest else self.beside + entry.kv_tokens + least_remaining
        self._put(request, entry)
        self.pace = None

    @property
    def queued(self) -> list[tuple[int, int, int]]:
        """Those who do not decode yet, by expected iterations, the fewest first: (iterations, requests, KV tokens)."""
        return sorted((remaining, count, tokens) for remaining, (count, tokens) in self._groups.items())

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
        self._follow_residents(view, server, lengths)
        self.in_system = view.in_system(server)
        if self.count != self.in_system or self.evictions != view.evictions(server):
            self.evictions = view.evictions(server)
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
