"""Queues with known answers, simulated by the engine: one request is one iteration, or one at a time.

A server works ``base_s + token_s * prompt`` seconds for a request of one output token. Prompts are whole numbers, so
the exponential law of M/M/1 is a geometric one of mean 1000 tokens; its moments are used exactly, its quantiles are
those of the exponential law (they differ by less than 0.1%). An iteration must take time without tokens: 1e-12 s.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from orsched.catalogue import Hardware
from orsched.engine.plan import IDLE, Chunk, Plan
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.service import Affine
from orsched.workloads import Workload

TOKENS = 1000


def _alone(view, request):
    return Plan(prefill=(Chunk(request, view.prompt_left(request)),), wake_on_arrival=False)


def first(view):
    """First come, first served, one at a time."""
    for request in view.waiting:
        return _alone(view, request)
    return IDLE


def last(view):
    """Last come, first served, one at a time, without preemption."""
    waiting = list(view.waiting)
    return _alone(view, max(waiting)) if waiting else IDLE


def middle(view):
    """The one in the middle of those waiting, without preemption."""
    waiting = sorted(view.waiting)
    return _alone(view, waiting[len(waiting) // 2]) if waiting else IDLE


def at_random(view):
    """One at a time, any of those waiting, from the policy's own random numbers."""
    waiting = list(view.waiting)
    return _alone(view, waiting[int(view.rng.integers(len(waiting)))]) if waiting else IDLE


def all_waiting(view):
    """Everyone who waits together, in one iteration."""
    chunks = tuple(Chunk(request, view.prompt_left(request)) for request in view.waiting)
    return Plan(prefill=chunks, wake_on_arrival=False) if chunks else IDLE


FCFS = Policy("first", first)
LCFS = Policy("last", last)
MIDDLE = Policy("middle", middle)
RANDOM = Policy("random", at_random)
SHORTEST = Policy("shortest", first, order=lambda prompt, output: prompt)
BULK = Policy("bulk", all_waiting)


def drawn(sizes, shares):
    """Prompts of given sizes with given probabilities."""
    return lambda rng, n: rng.choice(sizes, n, p=shares)


def geometric(rng, n):
    """Prompts of mean `TOKENS`, memoryless."""
    return rng.geometric(1 / TOKENS, n)


def same(rng, n):
    """Prompts of `TOKENS` tokens."""
    return np.full(n, TOKENS)


@dataclass(frozen=True)
class Queue:
    """A single server with Poisson arrivals, and the mean and percentiles of its sojourn time where they are known."""

    name: str
    rate_per_s: float
    prompts: Callable
    mean_s: float
    percentiles_s: dict[int, float]
    policy: Policy = FCFS
    base_s: float = 1e-12
    token_s: float = 1.0 / TOKENS

    def workload(self, requests: int, rng: np.random.Generator) -> Workload:
        arrivals = np.cumsum(rng.exponential(1 / self.rate_per_s, requests))
        return Workload.of(arrivals, self.prompts(rng, requests), np.ones(requests, dtype=int))

    @property
    def fleet(self) -> Fleet:
        return Fleet.single(Hardware("server", Affine(self.base_s, self.token_s, 0.0, 0.0), 10**9, 10**6))

    def sojourns_s(self, requests: int, child: np.random.SeedSequence, *policies: Policy) -> list[np.ndarray]:
        """Times from arrival to completion on one sample path, of each policy in turn (default: the queue's own)."""
        work = self.workload(requests, np.random.default_rng(child))
        return [simulate(work, self.fleet, policy, child).latency_s for policy in policies or (self.policy,)]

    def lindley_s(self, requests: int, rng: np.random.Generator) -> np.ndarray:
        """The same, first come first served, by Lindley's recursion, to which test_queues_known ties the engine."""
        work = self.workload(requests, rng)
        service = np.cumsum(self.base_s + self.token_s * work.input_tokens)
        before = np.concatenate(([0.0], service[:-1]))
        return service + np.maximum.accumulate(work.arrival_s - before) - work.arrival_s


def pollaczek_khinchine_s(load: float, mean_s: float, square_s2: float) -> float:
    """Mean sojourn time of M/G/1."""
    return mean_s + load / mean_s * square_s2 / (2 * (1 - load))


def md1_percentile_s(load: float, percent: int) -> float:
    """Percentile of the sojourn time of M/D/1 with service of one second, by Erlang's distribution of the wait."""

    def below(wait):
        terms = np.arange(int(wait) + 1)
        logs = np.array([math.lgamma(k + 1) for k in terms])
        late = load * (terms - wait)
        powers = np.where(terms == 0, 1.0, np.abs(late) ** terms * np.where(terms % 2, -1.0, 1.0))
        return (1 - load) * float((powers * np.exp(-late - logs)).sum())

    target = percent / 100
    return 1.0 if below(0.0) >= target else 1.0 + brentq(lambda wait: below(wait) - target, 0.0, 30.0)


def md1(load: float) -> Queue:
    """Service of one second."""
    mean = pollaczek_khinchine_s(load, 1.0, 1.0)
    return Queue(f"M/D/1 {load:g}", load, same, mean, {p: md1_percentile_s(load, p) for p in (50, 90, 99)})


def mm1(load: float) -> Queue:
    """Memoryless service of one second on average."""
    mean = pollaczek_khinchine_s(load, 1.0, 2 - 1 / TOKENS)
    return Queue(
        f"M/M/1 {load:g}", load, geometric, mean, {p: -math.log(1 - p / 100) / (1 - load) for p in (50, 90, 99)}
    )


SIZES, SHARES = np.array([500, 3000]), np.array([0.8, 0.2])


def mg1(load: float) -> Queue:
    """Service of 0.5 s, or of 3 s for one request in five; one second on average."""
    return Queue(f"M/G/1 {load:g}", load, drawn(SIZES, SHARES), pollaczek_khinchine_s(load, 1.0, _square_s2()), {})


def _square_s2() -> float:
    return float((SIZES / TOKENS) ** 2 @ SHARES)


def shortest_first_gain_s(load: float) -> float:
    """Mean wait of first come less that of shortest first, both without preemption, on `mg1` (Cobham)."""
    residual = load * _square_s2() / 2
    short = load * SHARES[0] * SIZES[0] / TOKENS
    waits = residual / (1 - short), residual / ((1 - short) * (1 - load))
    return residual / (1 - load) - float(np.array(waits) @ SHARES)


def bulk(rate_per_s: float) -> Queue:
    """All who wait are served together in one second: mean batch ``r + exp(-r)``, mean wait ``r / 2`` over that."""
    wait = rate_per_s / 2 / (rate_per_s + math.exp(-rate_per_s))
    return Queue("bulk", rate_per_s, same, 1.0 + wait, {}, BULK, base_s=1.0, token_s=0.0)
