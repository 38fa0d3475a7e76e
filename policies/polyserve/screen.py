"""Which servers of a tier may have room: one comparison of columns instead of a test of each."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from orsched.catalogue import MOST_KV_TOKENS
from policies.polyserve.deadlines import Pace

ANY = MOST_KV_TOKENS
"""Room of a server that has to be asked; its negative is the need of a request about which all have to be asked."""

_NOBODY = -math.inf
_LAST = np.iinfo(np.int64).max
_AT_ONCE = Pace(1, 0.0)
_ROUNDING = 0.5
"""Tokens by which what is known of room may be rounded off."""


class Screen:
    """What is known of each server of a tier, in columns; it may let through who refuses, but hides no one who admits.

    A look costs a few operations on columns as long as the fleet. A server's row is rewritten when it has changed.

    Parameters
    ----------
    servers : int
        Numbers are below this.
    """

    __slots__ = ("_ahead", "_chunk", "_each_s", "_free_s", "_grows_per_s", "_later_room", "_rank", "_room")

    def __init__(self, servers: int) -> None:
        self._rank = np.zeros(servers, dtype=np.int64)
        self._room = np.full(servers, _NOBODY)
        self._later_room = np.full(servers, _NOBODY)
        self._grows_per_s = np.zeros(servers)
        self._ahead = np.zeros(servers)
        self._chunk = np.ones(servers)
        self._each_s = np.zeros(servers)
        self._free_s = np.zeros(servers)

    def place(self, server: int, rank: int, pace: Pace | None) -> None:
        """Say how a server ranks, and how fast prompts get on there; None when that is not known."""
        self._rank[server] = rank
        self._chunk[server], self._each_s[server] = _AT_ONCE if pace is None else pace

    def queue(self, server: int, ahead_tokens: int, free_s: float) -> None:
        """Say how many prompt tokens wait at a server, and when its iteration in flight ends."""
        self._ahead[server] = ahead_tokens
        self._free_s[server] = free_s

    def room(self, server: int, tokens: int, grows: int, free_s: float, shortest_s: float) -> None:
        """Say how many KV tokens a request may start with at a server, at most, until one comes or leaves.

        Parameters
        ----------
        server : int
            Which.
        tokens : int
            How many, until the iteration in flight ends at `free_s`, seconds on the clock.
        grows : int
            How many more with every iteration.
        free_s, shortest_s : float
            When the iteration in flight ends, seconds on the clock, and what the next ones take at least, seconds.
        """
        per_s = grows / shortest_s
        self._room[server] = tokens
        self._grows_per_s[server] = per_s
        self._later_room[server] = tokens + grows - per_s * free_s

    def drop(self, server: int) -> None:
        """Take a server out."""
        self._room[server] = self._later_room[server] = _NOBODY
        self._grows_per_s[server] = 0.0

    def passing(self, now_s: float, kv_tokens: int, prompt_tokens: int, due_s: float) -> Iterator[int]:
        """Yield servers that may admit a request, by rank, those of one rank in their order.

        Parameters
        ----------
        now_s : float
            Time on the clock, seconds.
        kv_tokens : int
            KV tokens that the request starts to decode with.
        prompt_tokens : int
            Prompt tokens that the server has to process for it; with none, nothing is due.
        due_s : float
            When its first token is due, seconds on the clock; infinite when that does not matter.
        """
        room = self._grows_per_s * now_s
        room += self._later_room
        np.maximum(room, self._room, out=room)
        passes = room >= kv_tokens - _ROUNDING
        if prompt_tokens and due_s < math.inf:
            first_s = self._ahead + prompt_tokens
            first_s /= self._chunk
            np.ceil(first_s, out=first_s)
            first_s *= self._each_s
            first_s += self._free_s
            passes &= first_s <= due_s
        ranks = np.where(passes, self._rank, _LAST)
        while True:
            server = int(ranks.argmin())
            if ranks[server] == _LAST:
                return
            yield server
            ranks[server] = _LAST
