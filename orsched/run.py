"""The result of a simulation: one row per request, and the instances' integrals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.objectives import Objectives
from orsched.token_gaps import TokenGaps
from orsched.work import Floats, Ints

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from orsched.engine.cluster import Cluster
    from orsched.fleet import Fleet
    from orsched.fleet_log import FleetLog, FleetSamples
    from orsched.policy import Policy
    from orsched.workloads import Workload


_SUMMARISED = (
    "latency_mean_s",
    "latency_p99_s",
    "ttft_mean_s",
    "ttft_p99_s",
    "tpot_mean_s",
    "tpot_p99_s",
    "effective_throughput_tokens_per_s",
    "utilisation",
    "kv_utilisation",
    "preemptions_per_request",
    "energy_per_token_j",
    "power_mean_w",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Run:
    """What happened; arrays of shape ``(n,)`` are indexed like the workload, times in seconds.

    Parameters
    ----------
    policy, information, workload, fleet : str
        Names, and the information the policy declared.
    arrival_s, first_scheduled_s, first_token_s, completion_s : ndarray of float64
        The life of each request. A request is queued on its instance the moment it arrives.
    input_tokens, output_tokens : ndarray of int64
        Its lengths.
    preemptions : ndarray of int64
        Times it lost its KV cache and had to recompute it.
    instance : ndarray of int64
        Where it ran, last if in several places.
    rejected : ndarray of int64
        1 for those that were turned away: their times are NaN. 0 for all others.
    restarts : ndarray of int64
        Times the instance died that had started it.
    migrations : ndarray of int64
        Times it moved to another instance while it decoded; the hand-off of a finished prompt does not count.
    busy_s, batch_s, kv_token_s : ndarray of float64, shape (instances,)
        Integrals per instance: busy time (s), requests in the batch over time (request-seconds), resident KV over
        time (token-seconds).
    iterations : ndarray of int64, shape (instances,)
        Iterations run.
    kv_capacity_tokens, max_num_seqs : ndarray of int64, shape (instances,)
        What each holds.
    on_s : ndarray of float64, shape (instances,)
        Time for which each was switched on, starting and draining included, from the first arrival to the last
        completion or arrival, whichever is later; seconds.
    energy_j : ndarray of float64, shape (instances,), optional
        Energy of each instance for the time it was on, idle time included, joules; None when some hardware has no
        power law.
    log : FleetLog, optional
        What happened to the fleet; run files do not hold it.
    token_gaps : TokenGaps, optional
        Gaps between output tokens, if `simulate` was asked for them.
    lateness_s : ndarray of float64, optional
        How late each request's latest token came, as token i is due at ``arrival + TTFT + i TPOT``, seconds; at most 0
        if all were in time, infinite without a completion. None unless `simulate` was asked for it.
    objectives : Objectives, optional
        What the requests were to meet, with their classes; None when some request's class has no SLO.
    """

    policy: str
    information: str
    workload: str
    fleet: str
    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    first_scheduled_s: Floats
    first_token_s: Floats
    completion_s: Floats
    preemptions: Ints
    instance: Ints
    busy_s: Floats
    batch_s: Floats
    kv_token_s: Floats
    iterations: Ints
    kv_capacity_tokens: Ints
    max_num_seqs: Ints
    rejected: Ints
    restarts: Ints
    migrations: Ints
    on_s: Floats
    energy_j: Floats | None = None
    log: FleetLog | None = None
    token_gaps: TokenGaps | None = None
    lateness_s: Floats | None = None
    objectives: Objectives | None = None

    @classmethod
    def collect(
        cls,
        workload: Workload,
        fleet: Fleet,
        policy: Policy,
        cluster: Cluster,
        token_gaps: TokenGaps | None,
        samples: FleetSamples | None,
        lateness_s: Floats | None,
    ) -> Run:
        """Gather the columns of a finished simulation."""
        requests, groups = cluster.requests, list(fleet.instances())
        totals = [instance.stream.integrals for instance in cluster.instances]
        completion_s = np.array(requests.completion_s)
        first_s = float(workload.arrival_s[0])
        last_s = float(np.fmax(np.fmax.reduce(completion_s), workload.arrival_s[-1]))
        on_s = cluster.lifecycle.on_s(first_s, last_s)
        return cls(
            policy=policy.name,
            information=policy.information.label,
            workload=workload.name,
            fleet=fleet.name,
            arrival_s=workload.arrival_s,
            input_tokens=workload.input_tokens,
            output_tokens=workload.output_tokens,
            first_scheduled_s=np.array(requests.first_scheduled_s),
            first_token_s=np.array(requests.first_token_s),
            completion_s=completion_s,
            preemptions=np.array(requests.preemptions),
            instance=np.array(requests.instance),
            busy_s=np.array([t.busy_s for t in totals]),
            batch_s=np.array([t.batch_s for t in totals]),
            kv_token_s=np.array([t.kv_token_s for t in totals]),
            iterations=np.array([t.iterations for t in totals]),
            kv_capacity_tokens=np.array([group.hardware.kv_capacity_tokens for group in groups]),
            max_num_seqs=np.array([group.hardware.max_num_seqs for group in groups]),
            rejected=np.array(requests.rejected),
            restarts=np.array(requests.restarts),
            migrations=np.array(requests.migrations),
            on_s=np.array(on_s),
            energy_j=_energy_j([t.energy_j(on) for t, on in zip(totals, on_s, strict=True)]),
            log=cluster.log(samples),
            token_gaps=token_gaps,
            lateness_s=lateness_s,
            objectives=Objectives.known(workload),
        )

    def __len__(self) -> int:
        """Number of requests."""
        return len(self.arrival_s)

    def __repr__(self) -> str:
        return f"Run({self.policy!r}, {self.workload!r}, {self.fleet!r}, {len(self)} requests)"

    @property
    def latency_s(self) -> Floats:
        """Arrival to completion, per request."""
        return self.completion_s - self.arrival_s

    @property
    def ttft_s(self) -> Floats:
        """Arrival to first token, per request."""
        return self.first_token_s - self.arrival_s

    @property
    def queueing_s(self) -> Floats:
        """Arrival to first scheduling, per request."""
        return self.first_scheduled_s - self.arrival_s

    @property
    def tpot_s(self) -> Floats:
        """Mean time per output token after the first; requests with one output token are left out."""
        several = self.output_tokens > 1
        gaps = (self.completion_s - self.first_token_s)[several]
        return gaps / (self.output_tokens[several] - 1)

    @property
    def makespan_s(self) -> float:
        """First arrival to last completion; 0 when nothing has completed."""
        return float(np.fmax(np.fmax.reduce(self.completion_s), self.arrival_s[0]) - self.arrival_s[0])

    def summary(self) -> str:
        """The run in a few lines: who served what, and the main metrics with their units."""
        from orsched.metrics import METRICS, measure

        found = measure(self)
        shown = [name for name in _SUMMARISED if name in found]
        width = max(map(len, shown))
        lines = [f"{name:<{width}}  {found[name]:.4g} {METRICS[name].unit.replace('1', '', 1)}" for name in shown]
        head = (
            f"{self.policy} (information: {self.information}), {len(self)} requests of {self.workload} on {self.fleet}"
        )
        return "\n".join([head, *(line.rstrip() for line in lines)])

    def to_frame(self) -> pd.DataFrame:
        """One row per request: arrival_s, queued_s, first_scheduled_s, first_token_s, completion_s, lengths, ..."""
        import pandas as pd

        return pd.DataFrame(
            {
                "arrival_s": self.arrival_s,
                "queued_s": self.arrival_s,
                "first_scheduled_s": self.first_scheduled_s,
                "first_token_s": self.first_token_s,
                "completion_s": self.completion_s,
                "input_tokens": self.input_tokens,
                "output_tokens": self.output_tokens,
                "preemptions": self.preemptions,
                "instance": self.instance,
                "rejected": self.rejected,
                "restarts": self.restarts,
                "migrations": self.migrations,
            }
        )


def _energy_j(found: Sequence[float | None]) -> Floats | None:
    known = [energy for energy in found if energy is not None]
    return np.array(known) if len(known) == len(found) else None
