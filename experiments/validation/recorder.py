"""Watching a simulated engine from its scheduler's seat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from orsched.engine.plan import Plan
from orsched.engine.view import InstanceView
from orsched.policy import Batcher
from orsched.work import Floats

Row = tuple[float, int, float]
"""Time, running requests from then on, share of the KV memory in use at that time."""

Begun = tuple[int, int, int]
"""Iterations before a decision; decodes of each iteration after it, and the KV tokens that the first of them reads."""


@dataclass(slots=True)
class Recorder:
    """A batcher that lets another decide and writes down what it saw.

    Parameters
    ----------
    inner : Batcher
        Decides.
    instances : int
        Instances of the fleet; one that nothing is routed to is never asked, and counts as empty.
    """

    inner: Batcher
    instances: int
    _rows: dict[InstanceView, list[Row]] = field(default_factory=dict)
    _begun: dict[InstanceView, Begun] = field(default_factory=dict)
    _reach: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __call__(self, view: InstanceView, /) -> Plan:
        """Pass on the plan of the inner batcher."""
        used = 1 - view.free_blocks / view.capacity_blocks
        plan = self.inner(view)
        begun = view.prefilling.keys()
        admitted = sum(chunk.request not in begun for chunk in plan.prefill)
        running = view.num_running - len(plan.preempt) + admitted
        self._rows.setdefault(view, []).append((view.now_s, running, used))
        self._see(view, plan)
        return plan

    def running(self, times_s: Floats) -> Floats:
        """Requests in the batch or between two chunks of their prompt, over all instances, at each of `times_s`."""
        total = np.zeros(len(times_s))
        for rows in self._rows.values():
            at_s = np.array([row[0] for row in rows])
            index = np.searchsorted(at_s, times_s, side="right") - 1
            total += np.where(index < 0, 0, np.array([row[1] for row in rows])[np.maximum(index, 0)])
        return total

    def kv_share(self, times_s: Floats) -> Floats:
        """Share of the KV memory in use, the mean over the instances; between two decisions on a straight line."""
        total = np.zeros(len(times_s))
        for rows in self._rows.values():
            total += np.interp(times_s, [row[0] for row in rows], [row[2] for row in rows], left=0.0)
        return total / self.instances

    @property
    def reach(self) -> Mapping[str, tuple[float, float]]:
        """Smallest and largest value of what batches consisted of, by the names of `orsched.service.Batch`.

        A batcher is asked again when its iterations are over, also after the last ones: then it is known how far the
        contexts have grown since it decided.
        """
        return self._reach

    def _see(self, view: InstanceView, plan: Plan) -> None:
        before, decodes, kv_tokens = self._begun.get(view, (0, 0, 0))
        if decodes and view.iterations > before:
            self._widen("kv_tokens", kv_tokens + (view.iterations - before - 1) * decodes)
        gone = {*plan.preempt, *view.prefilling}
        contexts = [view.cached_tokens(request) for request in view.running if request not in gone]
        self._begun[view] = (view.iterations, len(contexts), sum(contexts))
        if contexts:
            self._widen("num_seqs", len(contexts))
            self._widen("kv_tokens", sum(contexts))
        if plan.prefill:
            self._widen("prompt_tokens", sum(chunk.tokens for chunk in plan.prefill))

    def _widen(self, name: str, value: float) -> None:
        low, high = self._reach.get(name, (value, value))
        self._reach[name] = (min(low, value), max(high, value))
