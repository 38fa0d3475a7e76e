"""One simulated run seen over time: how many are in the system, how much KV memory is in use."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from orsched.engine.plan import Plan
from orsched.engine.simulation import simulate
from orsched.engine.view import InstanceView
from orsched.fleet import Fleet
from orsched.policy import Batcher, Policy
from orsched.run import Run
from orsched.work import Floats
from orsched.workloads import Workload

MOST_STEPS = 8
"""Iterations between two looks at the memory; more looks do not change the run."""


@dataclass(frozen=True, slots=True, eq=False)
class SamplePath:
    """A run, and the KV memory in use on each instance whenever its policy was asked.

    Parameters
    ----------
    run : Run
        What happened to the requests.
    looks : tuple of (ndarray of float64, ndarray of float64)
        For each instance that ran anything, times (s) and KV tokens in whole blocks, both of shape ``(looks,)``.
    """

    run: Run
    looks: tuple[tuple[Floats, Floats], ...]

    @property
    def end_s(self) -> float:
        """When the last request was complete, or turned away."""
        return float(self._until(self.run.completion_s).max())

    def in_system_at(self, times_s: Floats) -> Floats:
        """Requests that had arrived and were neither complete nor turned away."""
        return _count(self.run.arrival_s, times_s) - _count(self._until(self.run.completion_s), times_s)

    def waiting_at(self, times_s: Floats) -> Floats:
        """Requests that had arrived and were never scheduled before."""
        return _count(self.run.arrival_s, times_s) - _count(self._until(self.run.first_scheduled_s), times_s)

    def _until(self, moments_s: Floats) -> Floats:
        """Those moments, and of requests that were turned away the arrival."""
        return np.where(self.run.rejected == 1, self.run.arrival_s, moments_s)

    def kv_tokens_at(self, times_s: Floats) -> Floats:
        """KV memory in use over all instances, as last looked at."""
        total = np.zeros(len(times_s))
        for when, tokens in self.looks:
            total += np.append(0.0, tokens)[np.searchsorted(when, times_s, side="right")]
        return total


def sample_path(workload: Workload, fleet: Fleet, policy: Policy, seed: int | np.random.SeedSequence = 0) -> SamplePath:
    """Simulate, and look at the memory at least every `MOST_STEPS` iterations."""
    watcher = _Watcher(policy.batch)
    run = simulate(workload, fleet, replace(policy, batch=watcher), seed)
    looks = tuple((np.array(log).T[0], np.array(log).T[1]) for log in watcher.logs.values())
    return SamplePath(run, looks)


@dataclass(slots=True)
class _Watcher:
    """A batcher that writes down the memory in use, and decides as the one it watches."""

    batch: Batcher
    logs: dict[int, list[tuple[float, int]]] = field(default_factory=dict)

    def __call__(self, view: InstanceView) -> Plan:
        """Log and plan; every instance has its own view for the whole run."""
        used = (view.capacity_blocks - view.free_blocks) * view.hardware.block_tokens
        self.logs.setdefault(id(view), []).append((view.now_s, used))
        plan = self.batch(view)
        return plan._replace(max_steps=min(plan.max_steps, MOST_STEPS))


def _count(events_s: Floats, times_s: Floats) -> Floats:
    return np.searchsorted(np.sort(events_s), times_s, side="right").astype(float)
