"""Decoding requests of one server, and how their KV cache is going to grow if they end when expected."""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

_FIRST_ROOM = 64


class Residents:
    """Who decodes on a server, in order of the tick at which each is expected to end.

    Time is counted in ticks: iterations of the server, all of which every resident takes part in. A resident with base
    ``b`` has ``b + T`` tokens cached at tick ``T``; one that is due at tick ``d`` is expected to decode until its cache
    holds ``b + d`` tokens. So the server's KV tokens are expected to peak when somebody is due: position ``k`` has the
    peak ``sum over i >= k of (b_i + d_k)``, which does not depend on the time, and which joining or leaving at
    position ``q`` changes for ``k <= q`` only.

    Of several residents that are due together the first has the true peak, the others a part of it.
    """

    __slots__ = ("_due", "_keys", "_peaks", "base_sum")

    def __init__(self) -> None:
        self._keys: list[tuple[int, int]] = []
        self._due = np.zeros(_FIRST_ROOM, dtype=np.int64)
        self._peaks = np.zeros(_FIRST_ROOM, dtype=np.int64)
        self.base_sum = 0

    def __len__(self) -> int:
        """Number of residents."""
        return len(self._keys)

    def join(self, request: int, base: int, due: int) -> None:
        """Add a resident."""
        keys, n = self._keys, len(self._keys)
        if n == len(self._due):
            self._due = np.concatenate((self._due, np.zeros_like(self._due)))
            self._peaks = np.concatenate((self._peaks, np.zeros_like(self._peaks)))
        dues, peaks = self._due, self._peaks
        key = (due, request)
        at = bisect_left(keys, key)
        later = int(peaks[at]) - (n - at) * int(dues[at]) if at < n else 0
        if at < n:
            insort(keys, key)
            dues[at + 1 : n + 1] = dues[at:n]
            peaks[at + 1 : n + 1] = peaks[at:n]
        else:
            keys.append(key)
        if at:
            peaks[:at] += dues[:at]
            peaks[:at] += base
        dues[at] = due
        peaks[at] = later + base + (n + 1 - at) * due
        self.base_sum += base

    def leave(self, request: int, base: int, due: int) -> None:
        """Take a resident out."""
        keys, dues, peaks = self._keys, self._due, self._peaks
        at = bisect_left(keys, (due, request))
        n = len(keys)
        del keys[at]
        if at:
            peaks[:at] -= dues[:at]
            peaks[:at] -= base
        dues[at : n - 1] = dues[at + 1 : n]
        peaks[at : n - 1] = peaks[at + 1 : n]
        self.base_sum -= base

    def position(self, tick: int) -> int:
        """First position that is due at `tick` or later."""
        return bisect_left(self._keys, (tick,))

    def kv_at(self, tick: int) -> int:
        """KV tokens, at the end of tick `tick`, of those that are due then or later."""
        at, n = self.position(tick), len(self._keys)
        if at == n:
            return 0
        count = n - at
        return int(self._peaks[at]) + count * (tick - int(self._due[at]))

    def highest(self, first: int, last: int, others: int = 0) -> int:
        """Highest peak of the positions ``first .. last - 1``, each with `others` more tokens per tick; not of none."""
        if others:
            return int((self._peaks[first:last] + others * self._due[first:last]).max())
        return int(self._peaks[first:last].max())
