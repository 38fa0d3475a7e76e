"""Which servers of a tier may have room: one comparison of columns instead of a test of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from orsched.catalogue import MOST_KV_TOKENS
from policies.polyserve.deadlines import Pace

ANY = MOST_KV_TOKENS
"""Room of a server that has to be asked."""

_LAST = np.iinfo(np.int64).max
_AT_ONCE = Pace(1, 0.0)


class Screen:
    """What is known of each server, in columns; it may let servers through that refuse, but holds none back that admit.

    A look at a tier costs a few operations on columns as long as the tier. A server's row is rewritten when it has
    changed.

    Parameters
    ----------
    servers : int
        Numbers are below this.
    """

    __slots__ = ("_ahead", "_chunk", "_each_s", "_free_s", "_rank", "_room")

    def __init__(self, servers: int) -> None:
        self._rank = np.zeros(servers, dtype=np.int64)
        self._room = np.zeros(servers, dtype=np.int64)
        self._ahead = np.zeros(servers)
        self._chunk = np.ones(servers)
        self._each_s = np.zeros(servers)
        self._free_s = np.zeros(servers)

    def place(self, server: int, rank: int, room: int, pace: Pace | None) -> None:
        """Say how a server ranks, how many KV tokens a request may start with there, and how fast prompts get on."""
        self._rank[server] = rank
        self._room[server] = room
        self._chunk[server], self._each_s[server] = _AT_ONCE if pace is None else pace

    def queue(self, server: int, ahead_tokens: int, free_s: float) -> None:
        """Say how many prompt tokens wait at a server, and when its iteration in flight ends."""
        self._ahead[server] = ahead_tokens
        self._free_s[server] = free_s

    def passing(self, members: NDArray[np.int64], kv_tokens: int, prompt_tokens: int, due_s: float) -> Iterator[int]:
        """Yield members that may admit a request, by rank, those of one rank in their order.

        Parameters
        ----------
        members : ndarray of int64
            Servers to look at, increasing.
        kv_tokens : int
            KV tokens that the request starts to decode with.
        prompt_tokens : int
            Prompt tokens that the server has to process for it; with none, nothing is due.
        due_s : float
            When its first token is due, seconds on the clock; infinite when that does not matter.
        """
        found = members[self._room[members] >= kv_tokens]
        if prompt_tokens and due_s < np.inf and len(found):
            iterations = np.ceil((self._ahead[found] + prompt_tokens) / self._chunk[found])
            found = found[self._free_s[found] + iterations * self._each_s[found] <= due_s]
        ranks = self._rank[found]
        for _ in range(len(found)):
            at = int(ranks.argmin())
            yield int(found[at])
            ranks[at] = _LAST
