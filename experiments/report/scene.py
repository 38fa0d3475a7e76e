"""One sample path of a setting, simulated again for the charts over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.paths.sample_path import SamplePath
from orsched.work import Floats

BINS = 240
"""Points in time of a chart; between two of them the largest value is drawn."""

LOOKS = 8
"""Times that are looked at in each bin."""

REQUESTS = 40
"""Requests of a time line: as many as can be told apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What each series did with the same requests.

    Parameters
    ----------
    title : str
        Which sample path: the column, the replication, the seed.
    paths : mapping of str to SamplePath
        By series.
    left_out : tuple of str
        Series that are missing, and why.
    """

    title: str
    paths: Mapping[str, SamplePath]
    left_out: tuple[str, ...] = ()

    @property
    def first_s(self) -> float:
        """The first arrival."""
        return float(next(iter(self.paths.values())).run.arrival_s[0])

    @property
    def end_s(self) -> float:
        """When the last request of the slowest policy was complete."""
        return max(path.end_s for path in self.paths.values())

    @property
    def capacity_tokens(self) -> int:
        """KV memory of the fleet, tokens."""
        return int(next(iter(self.paths.values())).run.kv_capacity_tokens.sum())

    def times_s(self) -> Floats:
        """The times looked at, shape ``(BINS, LOOKS)``."""
        return np.linspace(self.first_s, self.end_s, BINS * LOOKS).reshape(BINS, LOOKS)

    def window(self) -> range:
        """Positions of `REQUESTS` consecutive arrivals before the moment when most requests were in the system.

        The moment is that of the first series; all series show the same requests.
        """
        path = next(iter(self.paths.values()))
        times_s = self.times_s().ravel()
        busiest_s = times_s[int(path.in_system_at(times_s).argmax())]
        end = int(np.searchsorted(path.run.arrival_s, busiest_s, side="right"))
        end = min(max(end, REQUESTS), len(path.run))
        return range(max(0, end - REQUESTS), end)
