"""Queues whose answers are known, through the real engine.

A request with one output token is served by one iteration of ``base + c l`` seconds, so that a policy that
runs one prompt at a time turns an instance into a single-server queue. Statistical tests are seeded; each
states the probability with which a correct engine would fail it under a fresh seed.
"""

import math

import numpy as np
import pytest

from orsched.catalogue import Hardware
from orsched.engine.plan import DECODE_UNDISTURBED, IDLE, Chunk, Plan
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.run import Run
from orsched.service import Affine
from orsched.statistics.estimate import estimate
from orsched.workloads import Workload

REPLICATIONS, REQUESTS, SKIP, LEVEL = 20, 3000, 500, 0.99


def one_at_a_time(view):
    """Run the first waiting prompt alone, then its decodes, then the next."""
    if view.running:
        return DECODE_UNDISTURBED
    for request in view.waiting:
        return Plan(prefill=(Chunk(request, view.prompt_left(request)),), wake_on_arrival=False)
    return IDLE


def everyone_at_once(view):
    """Start all waiting prompts together; whoever comes later joins the next batch."""
    chunks = tuple(Chunk(request, view.prompt_left(request)) for request in view.waiting)
    return Plan(prefill=chunks) if chunks or view.running else IDLE


FCFS = Policy("one-at-a-time", one_at_a_time)
SHORTEST = Policy("shortest-first", one_at_a_time, order=lambda prompt, output: prompt)


def server(base_s: float, token_s: float, size: int = 1) -> Fleet:
    return Fleet.identical(Hardware("server", Affine(base_s, token_s, 0.0, 0.0), 10**9, 10**6), size)


def poisson(rate_per_s: float, lengths: np.ndarray, rng: np.random.Generator) -> Workload:
    arrivals = np.cumsum(rng.exponential(1 / rate_per_s, len(lengths)))
    return Workload.of(arrivals, lengths, np.ones(len(lengths), dtype=int))


def replicate(make, fleet: Fleet, policy: Policy = FCFS, seed: int = 1) -> list[Run]:
    """Independent runs: `make(rng)` draws the workload."""
    return [
        simulate(make(np.random.default_rng(child)), fleet, policy, seed=child)
        for child in np.random.SeedSequence(seed).spawn(REPLICATIONS)
    ]


def assert_covers(values, known: float, precision: float = 0.1) -> None:
    """The interval covers the known value and is narrow enough to mean something."""
    found = estimate(values, LEVEL)
    assert found.contains(known), f"{found} at {LEVEL:.0%} does not cover {known}"
    assert found.half_width < precision * known


def mean_waits(runs: list[Run]) -> list[float]:
    return [float(run.queueing_s[SKIP:].mean()) for run in runs]


def ones(rng: np.random.Generator) -> np.ndarray:
    return np.ones(REQUESTS, dtype=int)


def test_md1():
    """M/D/1 at load 0.7: mean wait, P(no wait) and P(wait <= D) are Pollaczek-Khinchine's and Erlang's.

    Three 99% intervals: a correct engine fails with probability at most 3%.
    """
    load = 0.7
    runs = replicate(lambda rng: poisson(load, ones(rng), rng), server(0.4, 0.6))
    assert_covers(mean_waits(runs), load / (2 * (1 - load)))
    assert_covers([np.mean(run.queueing_s[SKIP:] < 1e-9) for run in runs], 1 - load)
    assert_covers([np.mean(run.queueing_s[SKIP:] <= 1.0) for run in runs], (1 - load) * math.exp(load))


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_mg1_geometric_lengths(load):
    """M/G/1 with geometric prompts (M/M/1 in small steps): the mean wait is Pollaczek-Khinchine's.

    One 99% interval: a correct engine fails with probability 1%.
    """
    p, base, token = 0.02, 0.05, 0.01
    first = base + token / p
    second = base**2 + 2 * base * token / p + token**2 * (2 - p) / p**2
    rate = load / first
    runs = replicate(lambda rng: poisson(rate, rng.geometric(p, REQUESTS), rng), server(base, token), seed=2)
    assert_covers(mean_waits(runs), rate * second / (2 * (1 - load)), precision=0.15)


def test_mg1_two_point_lengths():
    """M/G/1 with rare long prompts (squared coefficient of variation above 2): Pollaczek-Khinchine again.

    One 99% interval: a correct engine fails with probability 1%.
    """
    sizes, shares, base, token = np.array([10, 400]), np.array([0.95, 0.05]), 0.01, 0.01
    service = base + token * sizes
    rate = 0.5 / (service @ shares)
    runs = replicate(lambda rng: poisson(rate, rng.choice(sizes, REQUESTS, p=shares), rng), server(base, token), seed=3)
    assert_covers(mean_waits(runs), rate * (service**2 @ shares) / (2 * 0.5), precision=0.15)


def test_nonpreemptive_priority():
    """M/G/1, shorter class first without preemption: both classes wait as Cobham's formula says.

    Two 99% intervals: a correct engine fails with probability at most 2%.
    """
    sizes, shares, base, token, load = np.array([10, 40]), np.array([0.7, 0.3]), 0.1, 0.05, 0.8
    service = base + token * sizes
    rate = load / (service @ shares)
    residual = rate * (service**2 @ shares) / 2
    low = rate * shares[0] * service[0]
    runs = replicate(
        lambda rng: poisson(rate, rng.choice(sizes, REQUESTS, p=shares), rng),
        server(base, token),
        SHORTEST,
        seed=4,
    )
    for size, known in ((10, residual / (1 - low)), (40, residual / ((1 - low) * (1 - load)))):
        waits = [run.queueing_s[SKIP:][run.input_tokens[SKIP:] == size].mean() for run in runs]
        assert_covers(waits, known, precision=0.15)


def test_bulk_service():
    """Unlimited batches of constant duration D: mean wait and batch size in closed form.

    While a batch runs, Poisson(r D) requests arrive and wait D/2 on average; if none comes, the next one
    starts alone. So a batch holds ``r D + exp(-r D)`` requests on average, and they wait ``r D^2 / 2`` over
    that. Two 99% intervals: a correct engine fails with probability at most 2%.
    """
    rate, duration = 3.0, 1.0
    fleet = server(duration, 0.0)
    runs = replicate(lambda rng: poisson(rate, ones(rng), rng), fleet, Policy("bulk", everyone_at_once), 5)
    batch = rate * duration + math.exp(-rate * duration)
    assert_covers(mean_waits(runs), rate * duration**2 / 2 / batch)
    assert_covers([REQUESTS / run.iterations[0] for run in runs], batch)


def test_random_split():
    """Requests split at random over three servers see three M/D/1 queues, each at the load of one.

    One 99% interval: a correct engine fails with probability 1%.
    """
    load = 0.6
    random = FCFS.routed_by(lambda view, request: int(view.rng.integers(view.size)))
    runs = replicate(lambda rng: poisson(3 * load, ones(rng), rng), server(0.5, 0.5, 3), random, seed=6)
    assert_covers(mean_waits(runs), load / (2 * (1 - load)))


def lindley(arrivals: np.ndarray, services: np.ndarray) -> np.ndarray:
    """Completion times of a single first-come-first-served server, along the last axis."""
    work = np.cumsum(services, axis=-1)
    return work + np.maximum.accumulate(arrivals - (work - services), axis=-1)


@pytest.mark.parametrize("load", [0.5, 1.0, 1.5])
def test_lindley(load):
    """On every sample path, stable or not, the engine reproduces Lindley's recursion to 1e-9 relative."""
    rng = np.random.default_rng(7)
    work = poisson(load, rng.integers(1, 20, 2000), rng)
    run = simulate(work, server(0.3, 0.07), FCFS)
    services = 0.3 + 0.07 * work.input_tokens
    completions = lindley(work.arrival_s, services)
    np.testing.assert_allclose(run.completion_s, completions, rtol=1e-9)
    np.testing.assert_allclose(run.first_scheduled_s, completions - services, rtol=1e-9)
    assert run.busy_s[0] == pytest.approx(services.sum(), rel=1e-9)


@pytest.mark.parametrize("policy", [FCFS, SHORTEST, Policy("bulk", everyone_at_once)], ids=lambda p: p.name)
def test_littles_law(policy):
    """Exactly, on every sample path: the integral of the batch size is the sum of the times spent in it."""
    rng = np.random.default_rng(8)
    arrivals = np.cumsum(rng.exponential(0.5, 800))
    work = Workload.of(arrivals, rng.integers(1, 50, 800), rng.integers(1, 30, 800))
    fleet = Fleet.identical(Hardware("server", Affine(0.01, 1e-3, 2e-3, 1e-5), 10**6, 10**4))
    run = simulate(work, fleet, policy)
    assert run.batch_s[0] == pytest.approx((run.completion_s - run.first_scheduled_s).sum(), rel=1e-9)


def test_integrals_by_hand():
    """Two requests served one after the other: every time and integral equals the sum worked out by hand."""
    fleet = Fleet.identical(Hardware("server", Affine(1.0, 0.1, 0.01, 0.001), 100, 2))
    run = simulate(Workload.of([0.0, 0.5], [3, 2], [2, 1]), fleet, FCFS)
    prompt, decode, second = 1.0 + 0.3, 1.0 + 0.01 + 0.003, 1.0 + 0.2
    assert run.first_token_s.tolist() == pytest.approx([prompt, prompt + decode + second])
    assert run.completion_s.tolist() == pytest.approx([prompt + decode, prompt + decode + second])
    assert run.busy_s.tolist() == pytest.approx([prompt + decode + second])
    assert run.batch_s.tolist() == pytest.approx([prompt + decode + second])
    assert run.kv_token_s.tolist() == pytest.approx([3 * prompt + 4 * decode + 2 * second])
    assert run.iterations.tolist() == [3]


def test_integrals_by_hand_when_batched():
    """Two requests decoding together: KV is counted as resident at the end of each iteration."""
    fleet = Fleet.identical(Hardware("server", Affine(1.0, 0.1, 0.01, 0.001), 100, 2))
    run = simulate(Workload.of([0.0, 0.0], [3, 2], [3, 2]), fleet, Policy("bulk", everyone_at_once))
    prompts = 1.0 + 0.5
    both = 1.0 + 0.02 + 0.005  # reads 3 + 2, ends with 4 + 3
    alone = 1.0 + 0.01 + 0.004  # reads 4, ends with 5
    assert run.completion_s.tolist() == pytest.approx([prompts + both + alone, prompts + both])
    assert run.batch_s.tolist() == pytest.approx([2 * prompts + 2 * both + alone])
    assert run.kv_token_s.tolist() == pytest.approx([5 * prompts + 7 * both + 5 * alone])
    assert run.iterations.tolist() == [3]


def coverage(means: np.ndarray, known: float) -> float:
    """Share of 95% intervals (one per row, from its columns) that cover the known mean."""
    return float(np.mean([estimate(row).contains(known) for row in means]))


def test_interval_coverage():
    """95% intervals from 20 replications of M/M/1 cover its mean wait in 93% to 97% of 2000 trials.

    By Lindley's recursion, which `test_lindley` ties to the engine. The standard error of the coverage is
    0.5%: intervals of exactly 95% would fail with probability 0.004%.
    """
    rng = np.random.default_rng(9)
    load, n, skip = 0.5, 400, 50
    trials = []
    for _ in range(20):
        arrivals = np.cumsum(rng.exponential(1 / load, (2000, n)), axis=1)
        services = rng.exponential(1.0, (2000, n))
        waits = lindley(arrivals, services) - services - arrivals
        trials.append(waits[:, skip:].mean(axis=1))
    assert 0.93 <= coverage(np.reshape(trials, (2000, 20)), load / (1 - load)) <= 0.97


@pytest.mark.slow
def test_interval_coverage_through_the_engine():
    """95% intervals from 20 simulated M/D/1 replications cover the mean wait in 92% to 98% of 400 trials.

    The standard error of the coverage is 1.1%: intervals of exactly 95% would fail with probability 0.6%.
    """
    load, n, skip = 0.5, 300, 30
    fleet = server(0.5, 0.5)
    children = np.random.SeedSequence(10).spawn(400 * 20)
    means = []
    for child in children:
        rng = np.random.default_rng(child)
        run = simulate(poisson(load, np.ones(n, dtype=int), rng), fleet, FCFS)
        means.append(run.queueing_s[skip:].mean())
    assert 0.92 <= coverage(np.reshape(means, (400, 20)), load / (2 * (1 - load))) <= 0.98
