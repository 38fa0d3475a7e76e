"""The yardstick on noisy machines: bare SimPy timeouts, in the same process."""

from __future__ import annotations

import time
from collections.abc import Generator

import simpy

TIMEOUTS = 200_000
REPEATS = 3


def simpy_timeouts_per_s(timeouts: int = TIMEOUTS, repeats: int = REPEATS) -> float:
    """Timeouts per CPU second of one SimPy process that does nothing else; the best of `repeats` runs."""
    return max(_timeouts_per_s(timeouts) for _ in range(repeats))


def _timeouts_per_s(timeouts: int) -> float:
    environment = simpy.Environment()

    def sleeper() -> Generator[simpy.Event, None, None]:
        for _ in range(timeouts):
            yield environment.timeout(1.0)

    environment.process(sleeper())
    start = time.process_time()
    environment.run()
    return timeouts / (time.process_time() - start)
