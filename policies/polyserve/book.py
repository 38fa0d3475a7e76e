"""What the router remembers of one server, and how it catches up with what has happened there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.polyserve.residents import Residents

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class Book:
    """One server's requests as the admission tests see them.

    Attributes
    ----------
    residents : Residents
        Those that decode.
    queued : list of (int, int, int)
        Those that do not decode yet, by expected decode iterations, the fewest first: (iterations, requests, KV tokens
        that they start to decode with, together).
    count : int
        All of them.
    queued_tokens : int
        KV tokens that the queued start to decode with, together.
    in_system, evictions : int
        The server's own counts when it was looked at last; `in_system` includes those sent there since.
    floor : int, optional
        What the KV tokens will at least peak at with one more request, its prompt left out, for as long as nobody
        leaves; None when not known.
    """

    __slots__ = ("_known", "count", "evictions", "floor", "in_system", "queued", "queued_tokens", "residents")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing, as at first."""
        self.residents = Residents()
        self._known: dict[int, tuple[int, int]] = {}
        self.queued: list[tuple[int, int, int]] = []
        self.queued_tokens = 0
        self.count = 0
        self.in_system = 0
        self.evictions = 0
        self.floor: int | None = None

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
        groups: dict[int, list[int]] = {}
        count = 0
        for request in view.waiting(server):
            count += 1
            _queue(groups, view, request, lengths, least_remaining, 1)
        for request in view.prefilling(server):
            count += 1
            _queue(groups, view, request, lengths, least_remaining, 1)
        if view.in_system(server) > len(self.residents) + count:
            for request in view.coming(server):
                count += 1
                _queue(groups, view, request, lengths, least_remaining, 0)
        self.queued = sorted((r, n, tokens) for r, (n, tokens) in groups.items())
        self.queued_tokens = sum(tokens for _, _, tokens in self.queued)
        self.count = len(self.residents) + count
        self.in_system = view.in_system(server)
        self.evictions = view.evictions(server)

    def _follow_residents(self, view: FleetView, server: int, lengths: Sequence[int]) -> None:
        contexts, known, residents = view.contexts(server), self._known, self.residents
        joined = []
        for request in reversed(contexts):  # type: ignore[call-overload]  # it is a dict: in order of joining
            found = known.get(request)
            if found is not None and found[0] == contexts[request]:
                break
            joined.append(request)
        for request in joined:
            if request in known:
                residents.leave(request, *known.pop(request))
        if len(known) + len(joined) > len(contexts):
            for request in known.keys() - contexts.keys():
                residents.leave(request, *known.pop(request))
        for request in reversed(joined):
            base = contexts[request]
            due = lengths[view.label(request)] + view.input_tokens(request) - 1 - base
            known[request] = base, due
            residents.join(request, base, due)


def _queue(
    groups: dict[int, list[int]],
    view: FleetView,
    request: int,
    lengths: Sequence[int],
    least_remaining: int,
    emits: int,
) -> None:
    """Count a request that is going to decode; `emits`: tokens that it emits before it does."""
    tokens = view.prompt_tokens(request) + emits - 1
    remaining = lengths[view.label(request)] - (tokens + 1 - view.input_tokens(request))
    group = groups.setdefault(max(remaining, least_remaining), [0, 0])
    group[0] += 1
    group[1] += tokens
