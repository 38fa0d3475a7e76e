"""The first place in an order that has room enough, without looking at those before it."""

from __future__ import annotations

from collections.abc import Iterator

ABSENT = -1
"""Room of a place that is not taken."""


class MaxTree:
    """Numbers at ``0 .. size - 1``, and the first of them that is large enough; O(log size) each.

    Parameters
    ----------
    size : int
        How many; all are `ABSENT` at first.
    """

    __slots__ = ("_leaves", "_values")

    def __init__(self, size: int) -> None:
        self._leaves = 1 << max(size - 1, 0).bit_length()
        self._values = [ABSENT] * (2 * self._leaves)

    def set(self, at: int, value: int) -> int:
        """Put `value` at `at`; returns the largest of all."""
        values = self._values
        k = at + self._leaves
        values[k] = value
        while k > 1:
            other = values[k ^ 1]
            k >>= 1
            if other > value:
                value = other
            if values[k] == value:
                break
            values[k] = value
        return values[1]

    def first(self, need: int, start: int = 0) -> int | None:
        """First place from `start` on with a number of at least `need`; None when there is none."""
        values, leaves = self._values, self._leaves
        if start >= leaves:
            return None
        k = start + leaves
        if values[k] < need:
            while k > 1 and (k & 1 or values[k + 1] < need):
                k >>= 1
            if k <= 1:
                return None
            k += 1
            while k < leaves:
                k <<= 1
                if values[k] < need:
                    k += 1
        return k - leaves


class FirstFit:
    """Servers in order of rank, those of one rank in order of their numbers, each with its room.

    Parameters
    ----------
    servers : int
        Numbers are below this.
    ranks : int
        Ranks are below this.
    """

    __slots__ = ("_found", "_levels", "_servers", "_top")

    def __init__(self, servers: int, ranks: int) -> None:
        self._servers = servers
        self._levels: list[MaxTree | None] = [None] * ranks
        self._top = MaxTree(ranks)
        self._found: dict[int, tuple[int, int]] = {}

    def put(self, server: int, rank: int, room: int) -> None:
        """Put a server at a rank with room >= 0, or leave it out with less than that."""
        found = (rank, max(room, ABSENT))
        known = self._found.get(server)
        if known == found:
            return
        if known is not None and known[0] != rank:
            self._set(server, known[0], ABSENT)
        self._found[server] = found
        self._set(server, rank, found[1])

    def drop(self, server: int) -> None:
        """Take a server out."""
        known = self._found.pop(server, None)
        if known is not None:
            self._set(server, known[0], ABSENT)

    def _set(self, server: int, rank: int, room: int) -> None:
        level = self._levels[rank]
        if level is None:
            level = self._levels[rank] = MaxTree(self._servers)
        self._top.set(rank, level.set(server, room))

    def fitting(self, need: int) -> Iterator[int]:
        """Yield servers with room for `need` >= 0, in order; those that have been looked at may be put elsewhere."""
        rank = self._top.first(need)
        while rank is not None:
            level = self._levels[rank]
            assert level is not None
            server = level.first(need)
            while server is not None:
                yield server
                server = level.first(need, server + 1)
            rank = self._top.first(need, rank + 1)
