"""A scheduler that decides each iteration while the one before it runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from orsched.engine.plan import Plan
from orsched.engine.view import InstanceView
from orsched.policy import Batcher


@dataclass(frozen=True, slots=True)
class OneStepAhead:
    """A batcher that admits as vLLM's asynchronous scheduling does: on what was known one iteration earlier.

    A request that arrives during an iteration joins the one after the next, and a seat that becomes free at its end is
    taken one iteration later, unless the engine was idle. KV blocks that become free count at once (vLLM takes them
    one iteration later too), and preemption is decided on what is known now.

    Parameters
    ----------
    inner : Batcher
        Decides, on the earlier view.
    """

    inner: Batcher

    def __call__(self, view: InstanceView, /) -> Plan:
        """Plan the next iteration."""
        known, seats = view.memo.get(_MEMO, (0, 0)) if view.num_running else (len(view.arrived), view.max_num_seqs)
        fresh = set(view.arrived[known:])
        waiting = [request for request in view.waiting if request not in fresh]
        limit = min(view.max_num_seqs, view.num_running + seats)
        plan = self.inner(cast(InstanceView, _Earlier(view, waiting, limit)))
        admitted = sum(chunk.request not in view.running for chunk in plan.prefill)
        running = view.num_running - len(plan.preempt) + admitted
        view.memo[_MEMO] = (len(view.arrived), max(0, view.max_num_seqs - running))
        put_off = fresh or (waiting and limit < view.max_num_seqs)
        return plan._replace(max_steps=1) if put_off else plan


class _Earlier:
    """A view whose queue and seats are those of one iteration earlier."""

    def __init__(self, view: InstanceView, waiting: Collection[int], max_num_seqs: int) -> None:
        self._view = view
        self.waiting = waiting
        self.max_num_seqs = max_num_seqs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)


_MEMO = "one step ahead"
