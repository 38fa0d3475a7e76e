"""Nested WAIT on runs of the engine (arXiv 2504.11320): stages, entry backlog, overflow, rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from orsched.engine.plan import Plan
from orsched.engine.view import InstanceView
from orsched.policy import Policy
from policies.wait import Nesting
from policies.wait.drift import OverflowRisk
from proofs_check.claim import Claim
from proofs_check.heavy_traffic import ALL, linear_hardware, scaling_study
from proofs_check.rules import Always, Each, Instance, Once, Rarely
from proofs_check.wait.coupling import backlogs, happened
from proofs_check.wait.exponents import ERROR, exponent_slack, exponents, touched_by_end
from proofs_check.wait.nested_systems import (
    OVERFLOW,
    SYSTEMS,
    fixed_system,
    path_of,
    random_nested_system,
    requirement,
    run_of,
    segments_of,
    times_of,
    types_of,
)
from proofs_check.wait.rates import METRICS, QUADRUPLED, TRIPLED, slack_rates
from proofs_check.wait.systems import PAPER

THEOREM = f"{PAPER}, Nested WAIT theorem (journal revision)"
UNLIMITED = 1_000_000
"""KV tokens for the dynamics without overflow."""


@dataclass(slots=True)
class WatchedNesting:
    """A Nested WAIT batcher that writes down how full the stages of its batches are and how long iterations take.

    Parameters
    ----------
    batcher : Nesting
        What decides.
    d0, d1 : float
        Of the iteration time.
    room : int
        Smallest ``n_k`` less prompts in a stage of segment k of a batch.
    longest_s, total_s : float
        Longest iteration and the sum of all, seconds.
    """

    batcher: Nesting
    d0: float
    d1: float
    room: int = 1_000_000
    longest_s: float = 0.0
    total_s: float = 0.0

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration as the batcher does, and look at its batch."""
        plan = self.batcher(view)._replace(max_steps=1)
        assert plan.decode is not None, "Nested WAIT names the cohorts that advance"
        moved = {move.request: move.cohort for move in plan.moves}
        stages = {0: len(plan.prefill)}
        tokens = sum(chunk.tokens for chunk in plan.prefill)
        for request in view.running:
            if moved.get(request, view.cohort_of(request)) in plan.decode and request not in plan.preempt:
                stage = view.cached_tokens(request) - view.input_tokens(request) + 1
                stages[stage] = stages.get(stage, 0) + 1
                tokens += view.cached_tokens(request) + 1
        for stage, count in stages.items():
            segment = sum(stage > cut for cut in self.batcher.cuts)
            self.room = min(self.room, self.batcher.thresholds[segment] - count)
        if tokens:
            self.longest_s = max(self.longest_s, self.d0 + self.d1 * tokens)
            self.total_s += self.d0 + self.d1 * tokens
        return plan


def watch(x: Instance) -> tuple[WatchedNesting, float]:
    """Run a system without overflow; what was seen, and the engine's busy time (s)."""
    watched = WatchedNesting(Nesting(tuple(x["cuts"]), tuple(x["thresholds"])), *times_of(x))
    run = run_of(x, watched, path_of(x), UNLIMITED)
    return watched, float(run.busy_s.sum())


def stage_slack(x: Instance) -> float:
    """Least room in a stage."""
    return float(watch(x)[0].room)


def iteration_slack(x: Instance) -> float:
    """Relative room below ``Delta^pi``, one second; the iterations seen must add up to the engine's busy time."""
    watched, busy_s = watch(x)
    agree = abs(watched.total_s / busy_s - 1) < 1e-9
    return 1 - watched.longest_s if agree else -math.inf


def entry_slack(x: Instance, interval_s: float) -> float:
    """Least room of prompts that wait outside the memory below the embedded process with reviews so often.

    Every iteration starts with a cohort of segment 1, so that cohorts start no later than at the reviews of a process
    with intervals ``Delta^pi``, one second: the lag of one interval that WAIT's coupling allows is not needed (ours).
    """
    path = path_of(x, beyond=3.0)
    run = run_of(x, Nesting(tuple(x["cuts"]), tuple(x["thresholds"])), path, UNLIMITED)
    times = np.arange(1, math.floor(x["cycles"] / interval_s) + 1) * interval_s
    counted = np.searchsorted(path.arrival_s, times, side="right")
    arrivals = np.asarray(np.diff(counted, prepend=0))
    bound = backlogs(arrivals, x["thresholds"][0])
    return float((bound - (counted - happened(run.first_scheduled_s, times))).min())


def overflow_slack(x: Instance, buffer: float, horizon: float) -> float:
    """Minus the number of evictions, with the shares of buffer and horizon of `requirement`."""
    batcher = Nesting(tuple(x["cuts"]), tuple(x["thresholds"]))
    return -float(run_of(x, batcher, path_of(x), requirement(x, buffer, horizon)).preemptions.sum())


def _rates(rng: np.random.Generator, scales: tuple[int, ...], replications: int, horizon: float) -> Instance:
    """Two segments, 1 and 3 decode steps, thresholds (4, 3), half of the prompts go on; 80% of what the entry takes."""
    seed = int(rng.integers(2**32))
    x = {"prompt": 1, "cuts": [1, 3], "thresholds": [4, 3], "survival": [0.5], "busy": 0.8, "d1_share": 0.1}
    d0, d1 = times_of(x)
    memory = math.ceil(segments_of(x).required_tokens(OverflowRisk(1e-6, scales[-1] * horizon / d0)))
    batcher = Nesting((1, 3), (4, 3))
    policy = Policy("nested-wait", batcher, num_cohorts=batcher.cohorts)
    study = scaling_study(
        types_of(x), linear_hardware(d0, d1, memory), policy, scales, replications, seed, horizon_s=horizon
    )
    return {
        **x,
        "C": memory,
        "seed": seed,
        "replications": replications,
        "slopes": exponents(study, [(metric, ALL) for metric in METRICS]),
        "touched_by_end": touched_by_end(study),
    }


CLAIMS = (
    Claim(
        "wait-nested-stages",
        "no batch has more than n_k prompts in a stage of segment k",
        f"{PAPER}, Nested WAIT",
        random_nested_system,
        stage_slack,
        Always(200, 25),
    ),
    Claim(
        "wait-nested-iteration-length",
        "every realised iteration lasts at most Delta^pi = d0 + d1 M^pi",
        f"{PAPER}, Nested WAIT",
        random_nested_system,
        iteration_slack,
        Always(200, 25),
    ),
    Claim(
        "wait-nested-coupled-entry",
        "after the k-th review at most R_k prompts wait outside the memory, R' = R + X - n_1 1{R + X >= n_1}",
        f"ours, for segment 1 in the proof of the Nested WAIT theorem ({PAPER}), whose coupling allows a lag",
        random_nested_system,
        partial(entry_slack, interval_s=1.0),
        Always(200, 25),
    ),
    Claim(
        "wait-nested-overflow",
        f"with C = M_req(delta) memory is exceeded on [0, T] with probability at most delta = {OVERFLOW}, in each of "
        f"{SYSTEMS} systems over 300 to 3000 full iterations",
        THEOREM,
        partial(fixed_system, most=SYSTEMS, longest=math.inf),
        partial(overflow_slack, buffer=1.0, horizon=1.0),
        Each(lambda error: Rarely(OVERFLOW, error=error), SYSTEMS, 2),
        quick_sample=partial(fixed_system, most=2, longest=300.0),
    ),
    Claim(
        "wait-nested-rates",
        "throughput gap 1 / (zeta T), latency and TTFT O(1); exponents within 0.15 (two-sided: ours)",
        THEOREM,
        partial(_rates, scales=QUADRUPLED, replications=40, horizon=20.0),
        partial(exponent_slack, expected=slack_rates()),
        Once(1 - ERROR),
        quick_sample=partial(_rates, scales=TRIPLED, replications=32, horizon=10.0),
    ),
)
