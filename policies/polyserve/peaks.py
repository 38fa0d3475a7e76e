"""How many KV tokens a server will hold at most while its requests grow (K_max), with one more request."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from policies.polyserve.book import Book


class Peak(NamedTuple):
    """What the KV tokens are expected to peak at.

    Parameters
    ----------
    beside : int
        The most held at a tick at which the new request is still there, its prompt left out.
    after : int
        The most held later.
    ticks : int
        Iterations until `beside` is held, from now: what the new request has grown by then.
    whole : bool
        Whether all residents count in `beside`, not only those that are due then or later.
    """

    beside: int
    after: int
    ticks: int
    whole: bool

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
        dues, bases = book.residents.dues, book.residents.bases
        soonest, new_due = tick + least_remaining, tick + remaining
        # Who ends together, in the terms of residents: (due, requests, their bases). Those overdue end soonest.
        ends = [(tick + left, count, tokens - count * tick) for left, count, tokens in book.queued]
        ends.append((new_due, 1, -tick))
        ends.sort(reverse=True)
        overdue = bisect_left(dues, soonest)
        ends.append((soonest, overdue, sum(bases[:overdue])))
        # From the latest to the earliest: at each end those that are there still, and the sum of their bases.
        beside = after = count = total = 0
        when, last = soonest, len(dues)
        for due, ending, base in ends:
            edge = bisect_left(dues, due, overdue, last)
            highest = highest_at = 0
            for its_due, its_base in zip(reversed(dues[edge:last]), reversed(bases[edge:last]), strict=True):
                count += 1
                total += its_base
                value = total + count * its_due
                if value > highest:
                    highest, highest_at = value, its_due
            if due >= new_due:
                after = max(after, highest)
            elif highest > beside:
                beside, when = highest, highest_at
            last = edge
            count += ending
            total += base
            value = total + count * due
            if due > new_due:
                after = max(after, value)
            elif value > beside:
                beside, when = value, due
        return Peak(beside, after, when - tick, when == soonest)


class CheapPeak:
    """The bound ``K_now + p + (n + 1) L`` of a third party's implementation: everybody grows by a whole answer more."""

    def __call__(self, book: Book, tick: int, remaining: int, least_remaining: int, /) -> Peak:
        """Return the bound."""
        held = book.residents.base_sum + len(book.residents) * tick + book.queued_tokens
        return Peak(held + (book.count + 1) * (remaining + 1), 0, remaining + 1, True)
