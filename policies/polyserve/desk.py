"""The router's desk in one run: which server is where, what is known of each, and who may have room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sortedcontainers import SortedSet

from orsched.engine.state import State
from orsched.group import Role
from policies.polyserve.book import Book, Queued
from policies.polyserve.chunking import ChunkRule
from policies.polyserve.deadlines import Pace, PrefillRule
from policies.polyserve.host import Host
from policies.polyserve.lengths import AverageLengths
from policies.polyserve.screen import ANY, Screen
from policies.polyserve.tiers import Tiers

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

_MEMO = "polyserve"

Rank = Callable[[int, int], int]
"""``rank(in_system, seats)``: place of a server in its tier's order, the first is tried first."""


def most_loaded(in_system: int, seats: int) -> int:
    """The servers with most requests first: the load gradient that empties the last ones."""
    return max(seats - in_system, 0)


def least_loaded(in_system: int, seats: int) -> int:
    """The servers with fewest requests first."""
    return min(in_system, seats)


@dataclass(frozen=True, slots=True)
class Desks:
    """Makes the desk of each run.

    Parameters
    ----------
    tiers : Tiers
        The tiers.
    role : Role
        Role of the servers that the tiers own: `Role.MIXED`, or `Role.DECODE` where prompts are processed elsewhere.
    rank : Rank
        Order of a tier's servers.
    lengths : AverageLengths
        Average decode lengths.
    chunks : ChunkRule, optional
        How servers cut prompts; None where they have none.
    prefill : PrefillRule
        How fast prompts are expected to get on.
    kv_test : bool
        Whether the KV tokens at their peak must fit into the memory.
    least_remaining : int
        Iterations that a decoding request is expected to go on at least, >= 1.
    """

    tiers: Tiers
    role: Role
    rank: Rank
    lengths: AverageLengths
    chunks: ChunkRule | None
    prefill: PrefillRule
    kv_test: bool
    least_remaining: int

    def __call__(self, view: FleetView) -> Desk:
        """Return the desk of this run, caught up with what has changed."""
        desk: Desk | None = view.memo.get(_MEMO)
        if desk is None:
            desk = view.memo[_MEMO] = Desk(self, view)
        desk.catch_up(view)
        return desk


class Desk:
    """State of the router; `Desks` makes it.

    Attributes
    ----------
    lengths : tuple of int
        Average output tokens of each workload class.
    shortest : int
        Fewest decode iterations that are expected of any new request.
    books : list of Book
        What is known of each server.
    idle : SortedSet of int
        Servers that serve, belong to no tier and have no request.
    off : SortedSet of int
        Servers that are switched off.
    starting : list of set of int
        Servers on their way to each tier.
    members : list of SortedSet of int
        Serving servers of each tier.
    wanted : set of int
        Tiers whose requests no server has taken, where the router could not claim one at once.
    empty_checks : dict of int to (int, int)
        By tier: its last server, and the checks in a row at which that has been empty.
    """

    def __init__(self, desks: Desks, view: FleetView) -> None:
        self.desks = desks
        tiers = len(desks.tiers)
        self._average(desks.lengths(view))
        self.books = [Book() for _ in range(view.size)]
        self._hosts: dict[tuple[int, int], Host] = {}
        self._alone: dict[int, list[tuple[Host, Pace]]] = {}
        self._kinds = [id(view.hardware(server)) for server in range(view.size)]
        self._seats = max(view.hardware(server).max_num_seqs for server in range(view.size))
        self.screens = [Screen(view.size) for _ in range(tiers)]
        self._tier_of: list[int | None] = [None] * view.size
        self._where: list[tuple[State, str | None, Role] | None] = [None] * view.size
        self.idle: SortedSet = SortedSet()
        self.off: SortedSet = SortedSet()
        self.starting: list[set[int]] = [set() for _ in range(tiers)]
        self.members: list[SortedSet] = [SortedSet() for _ in range(tiers)]
        self.wanted: set[int] = set()
        self.empty_checks: dict[int, tuple[int, int]] = {}

    def tier_of(self, server: int) -> int | None:
        """Tier that a serving server belongs to."""
        return self._tier_of[server]

    def host(self, view: FleetView, server: int, tier: int) -> Host:
        """The server's kind, judged by a tier."""
        key = (self._kinds[server], tier)
        host = self._hosts.get(key)
        if host is None:
            desks = self.desks
            host = Host(view.hardware(server), desks.tiers.tpot_s[tier], desks.chunks, desks.kv_test)
            self._hosts[key] = host
        return host

    def alone(self, view: FleetView, tier: int) -> list[tuple[Host, Pace]]:
        """Each kind of server of the tiers' role, judged by a tier, and how fast it is without any other request."""
        found = self._alone.get(tier)
        if found is None:
            kinds = {self._kinds[i]: i for i in range(view.size) if view.role(i) is self.desks.role}
            hosts = [self.host(view, server, tier) for server in kinds.values()]
            found = [(host, Pace(1, 0.0) if host.chunks is None else self.desks.prefill(host, 0, 0)) for host in hosts]
            self._alone[tier] = found
        return found

    def learn(self, view: FleetView) -> None:
        """Ask for the average lengths again; when they are others, all books are out of date."""
        lengths = self.desks.lengths(view)
        if lengths != self.lengths:
            self._average(lengths)
            for server, book in enumerate(self.books):
                book.forget()
                book.in_system = view.in_system(server)
                self.show(view, server)

    def _average(self, lengths: tuple[int, ...]) -> None:
        self.lengths = lengths
        self.shortest = max(min(lengths) - 1, self.desks.least_remaining)

    def catch_up(self, view: FleetView) -> None:
        """Look at the servers that have changed."""
        changed = view.changed(_MEMO)
        for server in changed:
            where = (view.state(server), view.tier(server), view.role(server))
            if where != self._where[server]:
                self._move(server, *where)
                self._where[server] = where
            count = view.in_system(server)
            tier = self._tier_of[server]
            if tier is not None:
                book = self.books[server]
                if count != book.in_system or view.evictions(server) != book.evictions:
                    book.pace = None
                    book.catch_up(view, server, self.lengths, self.desks.least_remaining)
                    self.show(view, server)
                else:
                    book.advance(view.clock(server))
                    self._go_on(view, server, tier, book)
            elif where == (State.SERVING, None, self.desks.role):
                if count:
                    self.idle.discard(server)
                else:
                    self.idle.add(server)
        changed.clear()

    def _move(self, server: int, state: State, label: str | None, role: Role) -> None:
        """A server has another state, tier or role."""
        known = self._tier_of[server]
        if known is not None:
            self.members[known].discard(server)
            self.screens[known].drop(server)
        self._tier_of[server] = None
        self.idle.discard(server)
        self.off.discard(server)
        for coming in self.starting:
            coming.discard(server)
        self.books[server].forget()
        if role is not self.desks.role:
            return
        tier = None if label is None else self.desks.tiers.by_label.get(label)
        if state is State.OFF:
            self.off.add(server)
        elif state is State.STARTING and tier is not None:
            self.starting[tier].add(server)
        elif state is State.SERVING and tier is not None:
            self._tier_of[server] = tier
            self.members[tier].add(server)

    def sent(self, view: FleetView, server: int, request: int, entry: Queued) -> None:
        """Note that a request has been sent to a server, which will hold more at its peak and get on more slowly."""
        self.books[server].send(request, entry, self.shortest)
        self.show(view, server)

    def pace(self, view: FleetView, server: int, tier: int) -> Pace:
        """How fast prompts get on at a server, judged by a tier; its book must be true now."""
        book, own = self.books[server], tier == self._tier_of[server]
        if own and book.pace is not None:
            return book.pace
        pace = self.desks.prefill(self.host(view, server, tier), book.count, book.committed_tokens)
        if own:
            book.pace = pace
        return pace

    def show(self, view: FleetView, server: int) -> None:
        """Put on the screen of its tier what a server's book says."""
        tier = self._tier_of[server]
        if tier is not None:
            book = self.books[server]
            known = book.count and book.count == book.in_system and self.desks.chunks is not None
            rank = self.desks.rank(book.in_system, self._seats)
            self.screens[tier].place(server, rank, self.pace(view, server, tier) if known else None)
            self._go_on(view, server, tier, book)

    def _go_on(self, view: FleetView, server: int, tier: int, book: Book) -> None:
        """Put on the screen what changes as a server goes on."""
        screen, free_s = self.screens[tier], view.iteration_end_s(server)
        screen.queue(server, view.backlog_tokens(server) - view.prompt_in_flight(server), free_s)
        if book.beside is None or not book.in_system:
            screen.room(server, ANY, 0, 0.0, 1.0)
        else:
            host = self.host(view, server, tier)
            tokens = host.largest_kv_tokens(book.count + 1) - book.beside
            screen.room(server, tokens, book.growing, free_s, host.shortest_s)
