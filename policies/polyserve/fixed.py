"""PolyServe on a fixed fleet, as "Simple is Better" (LMETRIC, OSDI '26) writes it down: fill up to the objective.

For every server, simulate its TTFT and TPOT with the request. Among those that keep both objectives take the one with
the largest TPOT; if there is none, the one with the smallest. No tiers, queue, promotion or scaling: not PolyServe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orsched.checks import check_is, check_whole
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.polyserve.batcher import TierBatches
from policies.polyserve.book import Book, entry_of
from policies.polyserve.deadlines import PrefillRule
from policies.polyserve.host import Host
from policies.polyserve.peaks import PeakRule
from policies.polyserve.settings import PolyServeSettings
from policies.polyserve.tiers import Tiers

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

_MEMO = "polyserve-fixed"


@dataclass(frozen=True, slots=True)
class FixedFleetSettings:
    """Settings of the variant for a fixed fleet; see `PolyServeSettings` for each.

    Parameters
    ----------
    k_max : str
        ``exact`` or ``cheap``.
    prefill_term : bool
        Whether the predicted TTFT counts the prefill.
    average_length : str
        Mean of the ``class`` or of the ``fleet``.
    least_remaining_tokens : int
        Tokens that a request which has outlived the average is expected to emit still.
    chunk_tokens : int, optional
        Fixed number of prompt tokens per iteration; None sizes chunks by the tightest time per token.
    least_chunk_tokens : int
        Prompt tokens that an iteration carries in any case.
    """

    k_max: Literal["exact", "cheap"] = "exact"
    prefill_term: bool = True
    average_length: Literal["class", "fleet"] = "class"
    least_remaining_tokens: int = 1
    chunk_tokens: int | None = None
    least_chunk_tokens: int = 32

    def __post_init__(self) -> None:
        if self.average_length not in ("class", "fleet"):
            raise InputError(
                f"FixedFleetSettings.average_length = {self.average_length!r}: must be one of 'class', 'fleet'"
            )
        check_is(self, "prefill_term", bool)
        check_whole(self, "least_remaining_tokens")
        check_whole(self, "least_chunk_tokens")
        self.parts()

    def parts(self) -> PolyServeSettings:
        """The settings of PolyServe that name the same parts."""
        return PolyServeSettings(
            k_max=self.k_max,
            prefill_term=self.prefill_term,
            average_length=self.average_length,
            least_remaining_tokens=self.least_remaining_tokens,
            chunk_tokens=self.chunk_tokens,
            least_chunk_tokens=self.least_chunk_tokens,
        )


@dataclass(frozen=True, slots=True)
class FillUp:
    """The router; it simulates every server for every request.

    Parameters
    ----------
    tiers : Tiers
        Objectives of the classes.
    hosts : tuple of Host
        What each server is, its prompts cut by the tightest time per token.
    lengths : tuple of int
        Average output tokens of each class.
    peak : PeakRule
        How K_max is found.
    prefill : PrefillRule
        When first tokens are expected.
    least_remaining : int
        Iterations that a decoding request is expected to go on at least.
    """

    tiers: Tiers
    hosts: tuple[Host, ...]
    lengths: tuple[int, ...]
    peak: PeakRule
    prefill: PrefillRule
    least_remaining: int

    def __call__(self, view: FleetView, request: int) -> int | None:
        """Route `request`; it waits only while no server serves."""
        label = view.label(request)
        tpot_s = self.tiers.tpot_s[self.tiers.of_class[label]]
        due_s = view.arrival_s(request) + self.tiers.ttft_s[label]
        fullest: tuple[float, int] | None = None
        fastest: tuple[float, int] | None = None
        for server in view.members():
            first_s, each_s = self._simulate(view, server, request)
            if first_s <= due_s and each_s <= tpot_s and (fullest is None or each_s > fullest[0]):
                fullest = each_s, server
            if fastest is None or each_s < fastest[0]:
                fastest = each_s, server
        chosen = fullest or fastest
        return None if chosen is None else chosen[1]

    def _simulate(self, view: FleetView, server: int, request: int) -> tuple[float, float]:
        """When the first token comes, on the clock, and the time per token after that; seconds."""
        host, book = self.hosts[server], self._book(view, server)
        entry = entry_of(view, request, 1, self.lengths, self.least_remaining)
        peak = self.peak(book, view.clock(server), entry.remaining, self.least_remaining)
        if book.pace is None:
            book.pace = self.prefill(host, book.count, book.committed_tokens)
        ahead = view.backlog_tokens(server) - view.prompt_in_flight(server)
        first_s = book.pace.after_s(view.iteration_end_s(server), ahead + view.prompt_tokens(request))
        return first_s, host.decode_s(book.count + 1, peak.tokens(entry.kv_tokens))

    def _book(self, view: FleetView, server: int) -> Book:
        books: list[Book] | None = view.memo.get(_MEMO)
        if books is None:
            books = view.memo[_MEMO] = [Book() for _ in range(view.size)]
        book = books[server]
        if book.in_system != view.in_system(server) or book.evictions != view.evictions(server):
            book.pace = None
        elif server not in view.changed(_MEMO):
            return book
        book.catch_up(view, server, self.lengths, self.least_remaining)
        view.changed(_MEMO).discard(server)
        return book


def polyserve_fixed(workload: Workload, fleet: Fleet, settings: FixedFleetSettings) -> Policy:
    """Build the variant for a fixed fleet of mixed instances.

    Raises
    ------
    InputError
        When a class has no objective, or an instance is not mixed.
    """
    tiers = Tiers.of(workload.classes)
    if any(group.role is not Role.MIXED for group in fleet.groups):
        raise InputError(f"polyserve-fixed runs on mixed instances: the fleet is {fleet.name!r}")
    parts = settings.parts()
    kinds = {group: Host(group.hardware, tiers.tpot_s[0], parts.chunks, kv_test=False) for group in fleet.groups}
    hosts = tuple(kinds[group] for group in fleet.instances())
    lengths = parts.known_lengths(workload).tokens
    route = FillUp(tiers, hosts, lengths, parts.peak, parts.prefill, settings.least_remaining_tokens)
    shown = {"tiers_s": tiers.tpot_s, **{name: getattr(settings, name) for name in FixedFleetSettings.__slots__}}
    batches = TierBatches(tiers, parts.chunks)
    return Policy("polyserve-fixed", batches, route, information=Information.CLASS, settings=shown)
