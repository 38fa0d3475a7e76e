"""A workload's requests with a renewal process in place of its own pattern of arrivals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.workloads import Workload
from orsched.workloads.arrivals import ArrivalProcess
from orsched.workloads.sources import WorkloadSource

WHOLE_SEED = 1
"""Seed of the arrivals of the workload that stands for the law; no sample path has it."""


@dataclass(frozen=True, slots=True)
class RenewedSource:
    """Requests of one source, arrivals of another process.

    The requests of a path are those that the source itself would give, so that two patterns of arrivals meet the same
    requests in the same order.

    Parameters
    ----------
    source : WorkloadSource
        The requests.
    arrivals : ArrivalProcess
        When they arrive; its rate does not matter where paths are brought to a load or a rate.
    """

    source: WorkloadSource
    arrivals: ArrivalProcess

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def description(self) -> str:
        """One line."""
        return f"{self.source.description}; arrivals {self.arrivals}"

    def draw(self, n: int, rng: np.random.Generator) -> Workload:
        """Draw `n` requests; the arrivals have a child stream of `rng`."""
        (arrivals,) = rng.spawn(1)
        return self._renewed(self.source.draw(n, rng), arrivals)

    def whole(self) -> Workload:
        """Return the source's whole workload with arrivals drawn with `WHOLE_SEED`."""
        return self._renewed(self.source.whole(), np.random.default_rng(WHOLE_SEED))

    def _renewed(self, path: Workload, rng: np.random.Generator) -> Workload:
        return path.take(np.arange(len(path)), self.arrivals.sample(len(path), rng))
