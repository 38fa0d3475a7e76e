"""WAIT's invariant on runs of the engine: no stage is overfull, hence no eviction, ``M^pi`` and ``Delta^pi`` hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orsched.engine.plan import Plan
from orsched.engine.simulation import simulate
from orsched.engine.view import InstanceView
from orsched.fleet import Fleet
from policies.wait import Waiting
from proofs_check.claim import Claim
from proofs_check.heavy_traffic.thresholds import typed
from proofs_check.rules import Always, Instance
from proofs_check.wait.systems import PAPER, cycle_of, hardware_of, path_of, random_system, types_of


@dataclass(slots=True)
class Watched:
    """A WAIT batcher that writes down how full stages and memory are, and how long iterations take.

    Parameters
    ----------
    batcher : Waiting
        What decides.
    d0, d1 : float
        Of the iteration time.
    room : int
        Smallest ``n_j - N_js`` met, stages s >= 1.
    memory : int
        Most KV tokens held at the end of an iteration.
    longest_s, total_s : float
        Longest iteration and the sum of all, seconds.
    """

    batcher: Waiting
    d0: float
    d1: float
    room: int = 1_000_000
    memory: int = 0
    longest_s: float = 0.0
    total_s: float = 0.0

    def __call__(self, view: InstanceView) -> Plan:
        """Look, and plan one iteration as the batcher does."""
        for j, threshold in enumerate(self.batcher.thresholds):
            stages: dict[int, int] = {}
            for request in view.members(j):
                stage = view.cached_tokens(request) - view.input_tokens(request) + 1
                stages[stage] = stages.get(stage, 0) + 1
            self.room = min(self.room, threshold - max(stages.values(), default=0))
        plan = self.batcher(view)._replace(max_steps=1)
        firing = range(len(self.batcher.thresholds)) if plan.decode is None else plan.decode
        decoding = [request for j in firing for request in view.members(j)]
        read = sum(chunk.tokens for chunk in plan.prefill) + sum(view.cached_tokens(r) + 1 for r in decoding)
        if read:
            held = view.capacity_blocks - view.free_blocks
            growth = sum(chunk.tokens for chunk in plan.prefill) + len(decoding)
            self.memory = max(self.memory, held + growth)
            self.longest_s = max(self.longest_s, self.d0 + self.d1 * read)
            self.total_s += self.d0 + self.d1 * read
        return plan


def watch(x: Instance) -> tuple[Watched, float, int]:
    """Run a system under WAIT; what was seen, the engine's busy time (s) and the number of evictions."""
    watched = Watched(Waiting(tuple(x["thresholds"])), x["d0"], x["d1"])
    policy = typed(watched, types_of(x))
    run = simulate(path_of(x).workload(), Fleet.identical(hardware_of(x)), policy)
    return watched, float(run.busy_s.sum()), int(run.preemptions.sum())


def _stage_slack(x: Instance) -> float:
    return float(watch(x)[0].room)


def _memory_slack(x: Instance) -> float:
    """Room below ``M^pi = C``; an eviction counts as the violation it would be."""
    watched, _, evictions = watch(x)
    return float(x["C"] - watched.memory if not evictions else -evictions)


def _iteration_slack(x: Instance) -> float:
    """Relative room below ``Delta^pi``; the iterations watched must add up to the engine's busy time."""
    watched, busy_s, _ = watch(x)
    agree = 1e-9 - abs(watched.total_s / busy_s - 1)
    return min(1 - watched.longest_s / cycle_of(x), agree) if agree < 0 else 1 - watched.longest_s / cycle_of(x)


def _claim(name: str, statement: str, slack: Callable[[Instance], float]) -> Claim:
    source = f"{PAPER}, WAIT: invariant of Algorithm 1"
    return Claim(name, statement, source, random_system, slack, Always(300, 25))


CLAIMS = (
    _claim("wait-stage-invariant", "N_js <= n_j for every type j and stage s >= 1, at every decision", _stage_slack),
    _claim("wait-memory", "resident and selected KV <= M^pi <= C, hence no eviction", _memory_slack),
    _claim("wait-iteration-length", "every realised iteration lasts at most Delta^pi = d0 + d1 M^pi", _iteration_slack),
)
