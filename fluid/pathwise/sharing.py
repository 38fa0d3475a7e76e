"""Most requests on time when every iteration is handed out to its participants: one machine, one size each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fluid.pathwise.deadlines import Deadlines
from fluid.pathwise.latency import Choice, job_sizes_s
from fluid.pathwise.on_time import Jobs, most_on_time
from fluid.pathwise.pace import Stage
from orsched.work import Floats

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Sharing:
    """A way to hand out the iterations; every one is valid.

    During an iteration of length T its participants get shares of it that add up to at most T: a weighted mean of
    the shares of `fluid.pathwise.latency.SrptFamily` (own work, and the base by seats and resident KV) and of
    those of `fluid.pathwise.pace.Stage` (the base by pace). So a request that is on time receives at least
    `sizes_s` between its arrival and its deadline, from n machines of speed one. One machine of speed n
    that may be shared at will only relaxes, and there processor sharing is no better than preemption.

    Parameters
    ----------
    choice : Choice
        Minorant, and the part of its base handed out by seats; `Choice.split` does not matter here.
    pace : float
        In [0, 1]: weight of the shares by pace.
    """

    choice: Choice
    pace: float

    def sizes_s(self, deadlines: Deadlines) -> Floats:
        """Least share of the machine until the deadline; infinite where it cannot be met; seconds, shape ``(n,)``."""
        workload, hw = deadlines.workload, deadlines.fleet.hardware
        sizes = (1 - self.pace) * job_sizes_s(self.choice, workload.input_tokens, deadlines.emitted, hw)
        if self.pace > 0:
            legs = [(Stage.of(self.choice.minorant, workload.work, part), limit) for part, limit in deadlines.legs]
            paced = sum((stage.paced_s(limit) for stage, limit in legs), np.zeros(len(sizes)))
            sizes = sizes + self.pace * (1 - _ROUNDING) * paced
        return np.where(deadlines.possible, sizes, np.inf)

    def most_on_time(self, deadlines: Deadlines) -> int:
        """Upper bound on the requests that any policy serves on time (`fluid.pathwise.on_time`)."""
        arrivals = deadlines.workload.arrival_s
        jobs = Jobs.of(arrivals, deadlines.due_s, self.sizes_s(deadlines), deadlines.fleet.size)
        return most_on_time(jobs)
