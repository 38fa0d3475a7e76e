"""Mean and standard deviation of the number of requests per instance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView
    from orsched.engine.pool import Pool


class RequestSpread:
    """Sums over a pool that are brought up to date for the instances that have changed.

    Parameters
    ----------
    view : FleetView
        The fleet.
    pool : Pool
        Whom to count.
    """

    __slots__ = ("_changed", "_count", "_now", "_pool", "_squares", "_total", "_view")

    def __init__(self, view: FleetView, pool: Pool) -> None:
        self._view = view
        self._pool = pool
        self._changed = view.changed(self)
        self._now: list[int | None] = [None] * view.size
        self._count = self._total = self._squares = 0

    def mean_and_deviation(self) -> tuple[float, float]:
        """Mean and (population) standard deviation now; the pool must not be empty."""
        for instance in self._changed:
            self._account(instance, -1)
            belongs = self._view.belongs(instance, self._pool)
            self._now[instance] = self._view.in_system(instance) if belongs else None
            self._account(instance, 1)
        self._changed.clear()
        n, total = self._count, self._total
        return total / n, math.sqrt(n * self._squares - total * total) / n

    def _account(self, instance: int, sign: int) -> None:
        load = self._now[instance]
        if load is not None:
            self._count += sign
            self._total += sign * load
            self._squares += sign * load * load
