"""Admission (PolyServe, sections 4.5 and 4.6): whether a server keeps all deadlines with one more request."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policies.polyserve.book import Queued, entry_of
from policies.polyserve.deadlines import Case, DeadlineTest, PrefillRule
from policies.polyserve.desk import Desk
from policies.polyserve.peaks import PeakRule
from policies.polyserve.screen import ANY

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
    entry : Queued
        How it will decode.
    """

    request: int
    tier: int
    due_s: float
    prompt_tokens: int
    entry: Queued


def arriving(view: FleetView, desk: Desk, request: int) -> Job:
    """A request that has to be processed from its prompt on."""
    return _job(view, desk, request, view.prompt_tokens(request), 1)


def prefilled(view: FleetView, desk: Desk, request: int) -> Job:
    """A request whose prompt is done and whose KV cache is elsewhere."""
    return _job(view, desk, request, 0, 0)


def _job(view: FleetView, desk: Desk, request: int, prompt_tokens: int, emits: int) -> Job:
    tiers, label = desk.desks.tiers, view.label(request)
    entry = entry_of(view, request, emits, desk.lengths, desk.desks.least_remaining)
    due_s = view.arrival_s(request) + tiers.ttft_s[label]
    return Job(request, tiers.of_class[label], due_s, prompt_tokens, entry)


@dataclass(frozen=True, slots=True)
class Admission:
    """The tests of one server for one request; all must pass.

    A guest from a looser tier is judged with the host tier's time per token. Two rules are ours, since nothing is ever
    turned away: an empty server of a request's own tier takes it whatever the tests say (an objective that fails there
    should not have been promised, says section 2.3), and a request that could not keep its first deadlines on an empty
    server any more is admitted without them, as soon as it does no harm.

    Parameters
    ----------
    peak : PeakRule
        How K_max is found, for test (c) and the test of the memory.
    prefill : PrefillRule
        When first tokens are expected.
    deadlines : tuple of DeadlineTest
        Tests (a) and (b), or fewer.
    """

    peak: PeakRule
    prefill: PrefillRule
    deadlines: tuple[DeadlineTest, ...]

    def candidates(self, view: FleetView, desk: Desk, tier: int, job: Job) -> Iterator[int]:
        """Servers of a tier that may admit a job, in the order in which they are asked; no other would.

        Room is known for requests that are expected to decode for `Desk.shortest` iterations. One that starts again
        after some of its answer may decode for fewer: all are asked that may keep its deadline.
        """
        if not desk.members[tier]:
            return iter(())
        needed = job.entry.kv_tokens if job.entry.remaining >= desk.shortest else -ANY
        return desk.screens[tier].passing(view.now_s, needed, job.prompt_tokens, job.due_s)

    def judged(self, view: FleetView, desk: Desk, job: Job) -> Job:
        """The job with the deadline that it is judged by: none when it is late on any empty server of its own tier."""
        for host, pace in desk.alone(view, job.tier):
            first_s = pace.after_s(view.now_s, job.prompt_tokens)
            if self._in_time(Case(job.due_s, first_s, host, 1, job.entry.kv_tokens)):
                return job
        return job._replace(due_s=math.inf)

    def __call__(self, view: FleetView, desk: Desk, server: int, tier: int, job: Job) -> bool:
        """Whether `server`, of `tier`, takes `job`."""
        book, least = desk.books[server], desk.desks.least_remaining
        book.catch_up(view, server, desk.lengths, least)
        if not book.count and tier == job.tier:
            return True
        host = desk.host(view, server, tier)
        tick = view.clock(server)
        remaining, shortest = job.entry.remaining, desk.shortest
        peak = self.peak(book, tick, remaining, least)
        if remaining == shortest or peak.ticks <= shortest:
            book.learn(peak, tick)
        elif book.beside is None:
            book.learn(self.peak(book, tick, shortest, least), tick)
        else:
            book.advance(tick)
        most_tokens = host.largest_kv_tokens(book.count + 1)
        peak_tokens = peak.tokens(job.entry.kv_tokens)
        if peak_tokens <= most_tokens:
            first_s = view.iteration_end_s(server)
            if job.prompt_tokens:
                ahead = view.backlog_tokens(server) - view.prompt_in_flight(server)
                first_s = desk.pace(view, server, tier).after_s(first_s, ahead + job.prompt_tokens)
            if self._in_time(Case(job.due_s, first_s, host, book.count + 1, peak_tokens)):
                return True
        desk.show(view, server)
        return False

    def _in_time(self, case: Case) -> bool:
        prefill = self.prefill
        for test in self.deadlines:  # noqa: SIM110
            if not test(case, prefill):
                return False
        return True
