"""The tests of the first and the second token's deadline (PolyServe, section 4.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from policies.polyserve.host import Host


class Case(NamedTuple):
    """A request that might go to a server.

    Parameters
    ----------
    due_s : float
        When its first token is due: its arrival and the time to first token of its class, seconds on the clock.
    free_s : float
        When the server's iteration in flight ends.
    host : Host
        What the server is, and the tier that it is judged by.
    seqs : int
        Requests on the server, without it.
    ahead_tokens : int
        Prompt tokens that are processed before its own, without those in flight.
    prompt_tokens : int
        Its own; 0 when they have been processed elsewhere.
    kv_tokens : int
        What the server's KV tokens peak at, with it.
    """

    due_s: float
    free_s: float
    host: Host
    seqs: int
    ahead_tokens: int
    prompt_tokens: int
    kv_tokens: int


class PrefillTime(Protocol):
    """When the first token of a request is expected."""

    def __call__(self, case: Case, /) -> float:
        """Return the time on the clock, seconds."""
        ...

    def near_s(self, case: Case, /) -> float:
        """Return how long the next iteration takes, seconds."""
        ...


class ChunkedPrefill:
    """Continuous chunked-prefill prediction: the chunk that the server can keep up until the prompt is done.

    The chunk is what fits beside all other requests of the server, each of them decoding, with as much KV cache as the
    server will hold at most; the prompts ahead and the prompt itself take as many iterations as that chunk needs, each
    with an equal part. (Which state the chunk is predicted in is ours.)
    """

    def __call__(self, case: Case, /) -> float:
        """Return the end of the last of those iterations."""
        tokens = case.ahead_tokens + case.prompt_tokens
        if not case.prompt_tokens:
            return case.free_s
        host, chunks, seqs = case.host, case.host.chunks, case.seqs
        assert chunks is not None
        beside = max(case.kv_tokens - case.prompt_tokens, 0) if seqs else 0

        def iteration_s(chunk: int) -> float:
            return host.mixed_s(chunk, case.prompt_tokens, seqs, beside)

        chunk = chunks(iteration_s, 0, tokens, host.tpot_s)
        iterations = -(-tokens // chunk)
        return case.free_s + iterations * iteration_s(-(-tokens // iterations))

    def near_s(self, case: Case, /) -> float:
        """Return the time of an iteration that carries a chunk of somebody else's prompt."""
        host = case.host
        seqs, kv_tokens, chunks = case.seqs + 1, case.kv_tokens, host.chunks
        if chunks is None:
            return host.decode_s(seqs, kv_tokens)
        return chunks.near_s(lambda chunk: host.mixed_s(chunk, chunk, seqs, kv_tokens), host.tpot_s)


class NoPrefill:
    """Leave the prefill out, and chunks out of the next iteration: the ablation without the prefill term."""

    def __call__(self, case: Case, /) -> float:
        """Return the end of the iteration in flight."""
        return case.free_s

    def near_s(self, case: Case, /) -> float:
        """Return the time of an iteration that only decodes."""
        return case.host.decode_s(case.seqs + 1, case.kv_tokens)


DeadlineTest = Callable[[Case, float, PrefillTime], bool]
"""``test(case, first_s, prefill)``: whether a deadline is kept with the first token at `first_s`."""


def first_token(case: Case, first_s: float, prefill: PrefillTime) -> bool:
    """Test (a): pending time, wait and prefill within the time to first token."""
    return first_s <= case.due_s


def second_token(case: Case, first_s: float, prefill: PrefillTime) -> bool:
    """Test (b): and the near iteration within the host's time per output token after that."""
    return first_s + prefill.near_s(case) <= case.due_s + case.host.tpot_s
