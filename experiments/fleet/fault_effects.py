"""Faults that changed nothing, found after the runs: whether one meets anything depends on what the policies do."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from orsched.engine.state import State
from orsched.faults import Fault, InstanceFault, LinkFault
from orsched.faults_schedule import FaultSchedule
from orsched.fleet_log import STATE_AFTER, FleetLog
from orsched.group import Role
from orsched.run import Run

MOST_NAMED = 5
"""Most faults that are named."""


@dataclass(frozen=True, slots=True)
class FaultEffects:
    """What became of the faults in some runs.

    Parameters
    ----------
    idle : frozenset of Fault
        Listed faults that changed nothing in any of the runs.
    end_s : float
        When the last of them ended, seconds.
    started : bool
        Whether an instance was ordered to start in one of them.
    """

    idle: frozenset[Fault]
    end_s: float
    started: bool


def fault_effects(run: Run, listed: Sequence[Fault]) -> FaultEffects:
    """Look up in the log of a run what the `listed` faults did.

    An instance fault counts when the instance is dead at its time, one of a start-up when a start of the instance fails
    from then on, one of a link when it happens in a run that sends KV caches over links at all.
    """
    assert run.log is not None
    end_s = float(np.max(run.completion_s[np.isfinite(run.completion_s)], initial=run.arrival_s[-1]))
    story = _Story(run.log)
    idle = frozenset(fault for fault in listed if fault.at_s > end_s or not story.met(fault))
    return FaultEffects(idle, end_s, run.log.count("start") > 0)


def together(found: Iterable[FaultEffects]) -> FaultEffects:
    """Of several runs, one at least."""
    runs = list(found)
    idle = frozenset.intersection(*(one.idle for one in runs))
    return FaultEffects(idle, max(one.end_s for one in runs), any(one.started for one in runs))


def fault_notices(effects: FaultEffects, schedule: FaultSchedule | None) -> list[str]:
    """Name the listed faults that changed nothing under any policy on any path, and a law that could not."""
    idle = sorted(effects.idle, key=lambda fault: (fault.at_s, fault.instance))
    found = [_notice(fault, effects.end_s) for fault in idle[:MOST_NAMED]]
    if len(idle) > MOST_NAMED:
        found.append(f"{len(idle) - MOST_NAMED:,} more listed faults changed nothing")
    if schedule is not None and schedule.start_up_mean_between_s is not None and not effects.started:
        found.append("faults.random.start_up_mean_between_s changed nothing: no policy started an instance")
    return found


def _notice(fault: Fault, end_s: float) -> str:
    if isinstance(fault, InstanceFault):
        kind, why = "instance", "it was off"
    elif isinstance(fault, LinkFault):
        kind, why = "link", "no policy sent anything over links"
    else:
        kind, why = "start_up", "no start of it failed after that"
    if fault.at_s > end_s:
        why = f"every run had ended, the last at {end_s:.4g} s"
    return f"faults.{kind} of instance {fault.instance} at {fault.at_s:g} s changed nothing: {why}"


class _Story:
    """What happened to each instance in a run, to be asked about many faults."""

    def __init__(self, log: FleetLog) -> None:
        self._times_s: dict[int, list[float]] = {}
        self._states: dict[int, list[State]] = {}
        self._last_failed_s: dict[int, float] = {}
        self._sends = Role.PREFILL in log.initial_roles
        for event in log.events:
            if event.kind in ("migration-started", "role"):
                self._sends = True
            if event.instance is None or event.kind not in STATE_AFTER:
                continue
            self._times_s.setdefault(event.instance, []).append(event.time_s)
            self._states.setdefault(event.instance, []).append(STATE_AFTER[event.kind])
            if event.kind == "start-failed":
                self._last_failed_s[event.instance] = event.time_s

    def met(self, fault: Fault) -> bool:
        """Whether a fault before the end of the run has changed something."""
        if isinstance(fault, InstanceFault):
            place = bisect_right(self._times_s.get(fault.instance, []), fault.at_s)
            return place > 0 and self._states[fault.instance][place - 1] is State.DEAD
        if isinstance(fault, LinkFault):
            return self._sends
        return self._last_failed_s.get(fault.instance, -math.inf) >= fault.at_s
