"""How many KV tokens a server will hold at most while its requests grow (K_max), with one more request."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from policies.polyserve.book import Book


class Peak(NamedTuple):
    """What the KV tokens are expected to peak at.

    Parameters
    ----------
    beside : int
        The most held at a tick at which the new request is still there, its prompt left out.
    after : int
        The most held later.
    """

    beside: int
    after: int

    def tokens(self, prompt_tokens: int) -> int:
        """K_max, with what the new request starts to decode with."""
        return max(self.beside + prompt_tokens, self.after)


class PeakRule(Protocol):
    """How K_max is found.

    While nobody leaves, `Peak.beside` falls by at most one token per iteration for each request that does not decode,
    the new one included: what is held at a given tick is what the residents hold then, which stays, and what the others
    have grown by, if they begin now. It does not fall when `remaining` is larger. The router relies on both.
    """

    def __call__(self, book: Book, tick: int, remaining: int, least_remaining: int, /) -> Peak:
        """Return the peak with a new request that decodes for `remaining` iterations from `tick` on."""
        ...


class ExactPeak:
    """Let every request grow by a token an iteration until its expected end, and take the largest sum.

    ``K(t) = sum over r_j > t of (p_j + g_j + t)`` with ``r_j = max(L - g_j, r_min)``, for ``t`` in ``{0}`` and the
    ``r_j - 1``: prompt ``p_j``, emitted ``g_j``, average length ``L`` (exact form of PolyServe's section 4.5, ours). It
    counts what is resident after the iteration. Requests that do not decode yet are taken to begin now, as the new one.
    """

    def __call__(self, book: Book, tick: int, remaining: int, least_remaining: int, /) -> Peak:
        """Return the peak."""
        residents, queued = book.residents, book.queued
        last = len(residents)
        first = residents.position(tick + least_remaining)
        beside = _all(book, tick, least_remaining)
        after = 0
        if first == last and not queued:
            return Peak(max(beside, remaining), after)
        # From the latest ends to the earliest: `others` of the queued, with `tokens`, are there as long.
        others, tokens = 0, 0
        ends = [*queued, (remaining, 1, 0)]
        ends.sort(reverse=True)
        for until, count, started in ends:
            # Residents that outlast the next of the ends, up to the one before.
            edge = max(first, residents.position(tick + until + 1))
            if edge < last:
                value = residents.highest(edge, last, others) + tokens - others * tick
                if until < remaining:
                    beside = max(beside, value)
                else:
                    after = max(after, value)
                last = edge
            others += count
            tokens += started
            value = residents.kv_at(tick + until) + tokens + others * until
            if until > remaining:
                after = max(after, value)
            else:
                beside = max(beside, value)
        if first < last:
            beside = max(beside, residents.highest(first, last, others) + tokens - others * tick)
        return Peak(beside, after)


class CheapPeak:
    """The bound ``K_now + p + (n + 1) L`` of a third party's implementation: everybody grows by a whole answer more."""

    def __call__(self, book: Book, tick: int, remaining: int, least_remaining: int, /) -> Peak:
        """Return the bound."""
        return Peak(_all(book, tick, 0) + (book.count + 1) * (remaining + 1), 0)


def _all(book: Book, tick: int, iterations: int) -> int:
    """KV tokens `iterations` from now of all there are, and of a new request without its prompt."""
    residents = book.residents
    held = residents.base_sum + len(residents) * tick + book.queued_tokens
    return held + (book.count + 1) * iterations if iterations else held
