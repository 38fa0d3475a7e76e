"""When first tokens are expected, and the tests of the first and the second token's deadline (section 4.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from policies.polyserve.host import Host


class Pace(NamedTuple):
    """How fast a server gets through its prompts.

    Parameters
    ----------
    chunk_tokens : int
        Prompt tokens per iteration.
    each_s : float
        Duration of such an iteration, seconds.
    """

    chunk_tokens: int
    each_s: float

    def after_s(self, free_s: float, tokens: int) -> float:
        """When `tokens` prompt tokens are done that begin at `free_s`, seconds on the clock."""
        return free_s + -(-tokens // self.chunk_tokens) * self.each_s


class PrefillRule(Protocol):
    """How prompts are expected to get on."""

    def __call__(self, host: Host, seqs: int, committed_tokens: int, /) -> Pace:
        """Return the pace beside `seqs` requests that hold `committed_tokens` KV tokens when each is at its end."""
        ...

    def near_s(self, host: Host, seqs: int, kv_tokens: int, /) -> float:
        """Return how long the next iteration takes with `seqs` decodes that read `kv_tokens`, seconds."""
        ...


class ChunkedPrefill:
    """Continuous chunked-prefill prediction: the chunk that the server can keep up until the prompt is done.

    It is the one that fits when all other requests of the server decode and all of them are as long as they are
    expected to get, so no growth of theirs can make it smaller (ours; how the paper simulates it is not known to us).
    """

    def __call__(self, host: Host, seqs: int, committed_tokens: int, /) -> Pace:
        """Return the largest such chunk."""
        assert host.chunks is not None, "prompts are cut elsewhere"

        def iteration_s(chunk: int) -> float:
            return host.mixed_s(chunk, seqs, committed_tokens)

        chunk = host.chunks(iteration_s, 0, MOST_CHUNK, host.tpot_s)
        return Pace(chunk, iteration_s(chunk))

    def near_s(self, host: Host, seqs: int, kv_tokens: int, /) -> float:
        """Return the time of an iteration that carries a chunk of somebody else's prompt."""
        if host.chunks is None:
            return host.decode_s(seqs, kv_tokens)
        return host.chunks.near_s(lambda chunk: host.mixed_s(chunk, seqs, kv_tokens), host.tpot_s)


class NoPrefill:
    """Leave the prefill out, and chunks out of the next iteration: the ablation without the prefill term."""

    def __call__(self, host: Host, seqs: int, committed_tokens: int, /) -> Pace:
        """Return one that takes no time."""
        return Pace(1, 0.0)

    def near_s(self, host: Host, seqs: int, kv_tokens: int, /) -> float:
        """Return the time of an iteration that only decodes."""
        return host.decode_s(seqs, kv_tokens)


MOST_CHUNK = 8192
"""Largest chunk that a prediction counts on, tokens (ours)."""


class Case(NamedTuple):
    """A request that might go to a server.

    Parameters
    ----------
    due_s : float
        When its first token is due: its arrival and the time to first token of its class, seconds on the clock.
    first_s : float
        When it is expected: pending time and the wait for the iteration in flight are over, and its prompt is done.
    host : Host
        What the server is, and the tier that it is judged by.
    seqs : int
        Requests on the server, with it.
    kv_tokens : int
        What the server's KV tokens peak at, with it.
    """

    due_s: float
    first_s: float
    host: Host
    seqs: int
    kv_tokens: int


DeadlineTest = Callable[[Case, PrefillRule], bool]
"""``test(case, prefill)``: whether a deadline is kept."""


def first_token(case: Case, prefill: PrefillRule) -> bool:
    """Test (a): pending time, wait and prefill within the time to first token."""
    return case.first_s <= case.due_s


def second_token(case: Case, prefill: PrefillRule) -> bool:
    """Test (b): and the near iteration within the host's time per output token after that."""
    near_s = prefill.near_s(case.host, case.seqs, case.kv_tokens)
    return case.first_s + near_s <= case.due_s + case.host.tpot_s
