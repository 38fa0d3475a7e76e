"""Decoding requests of one server, in order of when they are expected to end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Residents:
    """Who decodes on a server, in order of the tick at which each is expected to end.

    Time is counted in ticks: iterations of the server, all of which every resident takes part in. A resident with base
    ``b`` has ``b + T`` tokens cached at tick ``T``; one that is due at tick ``d`` is expected to decode until its cache
    holds ``b + d`` tokens. None of this changes while time passes.

    Attributes
    ----------
    dues, bases : list of int
        Of each resident, those that are due first come first.
    base_sum : int
        Sum of all bases.
    """

    __slots__ = ("_who", "base_sum", "bases", "dues")

    def __init__(self) -> None:
        self._who: list[int] = []
        self.dues: list[int] = []
        self.bases: list[int] = []
        self.base_sum = 0

    def __len__(self) -> int:
        """Number of residents."""
        return len(self.dues)

    def join(self, request: int, base: int, due: int) -> None:
        """Add a resident."""
        at = bisect_right(self.dues, due)
        self.dues.insert(at, due)
        self.bases.insert(at, base)
        self._who.insert(at, request)
        self.base_sum += base

    def leave(self, request: int, base: int, due: int) -> None:
        """Take a resident out."""
        at = self._who.index(request, bisect_left(self.dues, due))
        del self.dues[at], self.bases[at], self._who[at]
        self.base_sum -= base
