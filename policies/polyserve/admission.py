"""Admission: whether a server keeps all deadlines, its own and the new one's, with one more request (section 4.5, 4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policies.polyserve.deadlines import Case, DeadlineTest, PrefillTime
from policies.polyserve.desk import Desk
from policies.polyserve.peaks import PeakRule

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class Job(NamedTuple):
    """A request that looks for a server.

    Parameters
    ----------
    request : int
        Its number.
    tier : int
        Its own tier.
    due_s : float
        When its first token is, or was, due; seconds on the clock.
    prompt_tokens : int
        Prompt tokens that the server has to process; 0 when that has been done elsewhere.
    kv_tokens : int
        KV tokens that it starts to decode with.
    remaining : int
        Decode iterations that are expected of it.
    """

    request: int
    tier: int
    due_s: float
    prompt_tokens: int
    kv_tokens: int
    remaining: int


def arriving(view: FleetView, desk: Desk, request: int) -> Job:
    """A request that has to be processed from its prompt on."""
    return _job(view, desk, request, view.prompt_tokens(request), view.prompt_tokens(request))


def prefilled(view: FleetView, desk: Desk, request: int) -> Job:
    """A request whose prompt is done and whose KV cache is elsewhere."""
    return _job(view, desk, request, 0, view.prompt_tokens(request) - 1)


def _job(view: FleetView, desk: Desk, request: int, prompt_tokens: int, kv_tokens: int) -> Job:
    tiers, label = desk.desks.tiers, view.label(request)
    emitted = kv_tokens + 1 - view.input_tokens(request)
    remaining = max(desk.lengths[label] - emitted, desk.desks.least_remaining)
    due_s = view.arrival_s(request) + tiers.ttft_s[label]
    return Job(request, tiers.of_class[label], due_s, prompt_tokens, kv_tokens, remaining)


@dataclass(frozen=True, slots=True)
class Admission:
    """The tests of one server for one request; all must pass.

    A guest from a looser tier is judged with the host tier's time per token. Two rules are ours, since nothing is ever
    turned away: an empty server of a request's own tier takes it whatever the tests say (an objective that fails there
    should not have been promised, says section 2.3), and a request that could not keep its first deadlines even on an
    empty server is admitted without them, as soon as it does no harm.

    Parameters
    ----------
    peak : PeakRule
        How K_max is found, for test (c) and the test of the memory.
    prefill : PrefillTime
        When the first token is expected.
    deadlines : tuple of DeadlineTest
        Tests (a) and (b), or fewer.
    """

    peak: PeakRule
    prefill: PrefillTime
    deadlines: tuple[DeadlineTest, ...]

    def __call__(self, view: FleetView, desk: Desk, server: int, tier: int, job: Job) -> bool:
        """Whether `server`, of `tier`, takes `job`."""
        book, least = desk.books[server], desk.desks.least_remaining
        book.catch_up(view, server, desk.lengths, least)
        if not book.count and tier == job.tier:
            return True
        host = desk.host(view, server, tier)
        tick = view.clock(server)
        book.floor = self.peak.floor(book, tick, desk.shortest, least)
        desk.room(view, server)
        peak_tokens = self.peak(book, tick, job.remaining, least).tokens(job.kv_tokens)
        if peak_tokens > host.largest_kv_tokens(book.count + 1):
            return False
        if not self.deadlines:
            return True
        ahead = view.backlog_tokens(server) - view.prompt_in_flight(server)
        free_s = view.iteration_end_s(server)
        case = Case(job.due_s, free_s, host, book.count, ahead, job.prompt_tokens, peak_tokens)
        return self._in_time(case) or self._is_lost(view, desk, server, job)

    def _in_time(self, case: Case) -> bool:
        first_s = self.prefill(case)
        return all(test(case, first_s, self.prefill) for test in self.deadlines)

    def _is_lost(self, view: FleetView, desk: Desk, server: int, job: Job) -> bool:
        """Whether an empty server of its own tier would not keep the deadlines either, from now on."""
        alone = desk.host(view, server, job.tier)
        return not self._in_time(Case(job.due_s, view.now_s, alone, 0, 0, job.prompt_tokens, job.kv_tokens))
