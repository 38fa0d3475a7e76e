"""A growing queue is called unstable, a long one is not."""

import math
from dataclasses import replace

import numpy as np
import pytest

from orsched.catalogue import Hardware
from orsched.engine.plan import DECODE_UNDISTURBED, IDLE, Chunk, Plan
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.run import Run
from orsched.service import Affine
from orsched.statistics.stability import seen_by_arrivals, stability
from orsched.workloads import Workload

FLEET = Fleet.identical(Hardware("server", Affine(0.012, 60e-6, 50e-6, 0.12e-6), 40_000, 32))


def queue_run(arrivals: np.ndarray, services: np.ndarray) -> Run:
    """A single first-come-first-served server, by Lindley's recursion."""
    n = len(arrivals)
    work = np.cumsum(services)
    completion = work + np.maximum.accumulate(arrivals - (work - services))
    ones = np.ones(n, dtype=np.int64)
    busy = np.array([services.sum()])
    return Run(
        policy="fcfs",
        information="none",
        workload="w",
        fleet="f",
        arrival_s=arrivals,
        input_tokens=ones,
        output_tokens=ones,
        first_scheduled_s=np.maximum(completion - services, arrivals),
        first_token_s=completion,
        completion_s=completion,
        preemptions=0 * ones,
        instance=0 * ones,
        busy_s=busy,
        batch_s=busy,
        kv_token_s=busy,
        iterations=np.array([n]),
        kv_capacity_tokens=np.array([1]),
        max_num_seqs=np.array([1]),
        rejected=0 * ones,
        restarts=0 * ones,
        migrations=0 * ones,
        on_s=completion[-1:] - arrivals[0],
    )


def mm1(load: float, n: int, rng: np.random.Generator) -> Run:
    return queue_run(np.cumsum(rng.exponential(1 / load, n)), rng.exponential(1.0, n))


def alarms(load: float, n: int, *, told: bool, replications: int = 300) -> float:
    """Share of replications of M/M/1 that are called unstable."""
    rng = np.random.default_rng([int(100 * load), n])
    runs = (mm1(load, n, rng) for _ in range(replications))
    return float(np.mean([not stability(run, load if told else None).stable for run in runs]))


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("n", [1000, 4000])
@pytest.mark.parametrize("load", [0.5, 0.7, 0.9])
def test_false_alarms(load, n, told):
    """At most 3% of 300 stable M/M/1 runs are called unstable, told the load or not.

    The true rates are below 0.5%: a correct test fails with probability below 0.1%.
    """
    assert alarms(load, n, told=told) <= 0.03


@pytest.mark.parametrize(("n", "told", "least"), [(1000, True, 0.95), (4000, True, 0.99), (4000, False, 0.99)])
def test_detection(n, told, least):
    """At load 1.2 at least 95% of the runs with 1000 requests are called unstable, 99% with 4000.

    The true rates are about 97.5% and 100%: a correct test fails with probability below 1%.
    """
    assert alarms(1.2, n, told=told) >= least


def both_kinds(view):
    """Admit whatever fits, prompts and decodes in one batch."""
    chunks, free, seats = [], view.free_blocks - view.growth_blocks(), 32 - len(view.running)
    for request in view.waiting:
        whole = view.input_tokens(request) + 480
        if not seats or whole > free:
            break
        chunks.append(Chunk(request, view.prompt_left(request), reserve_tokens=whole))
        free, seats = free - whole, seats - 1
    return Plan(tuple(chunks)) if chunks else DECODE_UNDISTURBED if view.running else IDLE


def one_at_a_time(view):
    """A policy that wastes the batch."""
    if view.running:
        return DECODE_UNDISTURBED
    for request in view.waiting:
        return Plan((Chunk(request, view.prompt_left(request)),))
    return IDLE


def served(load: float, batch, seed: int = 0, n: int = 1000) -> Run:
    rng = np.random.default_rng(seed)
    work = Workload.of(np.cumsum(rng.exponential(1.0, n)), rng.integers(50, 951, n), rng.integers(20, 481, n)).at_load(
        load, FLEET
    )
    return simulate(work, FLEET, Policy("test", batch))


@pytest.mark.parametrize("load", [0.4, 0.7])
def test_no_false_alarm_on_batches(load):
    """A server that fills batches of up to 32 and keeps up is stable (at most 1 alarm in 20 seeds)."""
    assert sum(not stability(served(load, both_kinds, seed), load).stable for seed in range(20)) <= 1


def test_overload_is_named():
    """At load 1.3 the verdict names the load and the growth, which is the excess of arrivals over service."""
    run = served(1.3, both_kinds)
    verdict = stability(run, 1.3)
    assert not verdict.stable
    assert verdict.reason.startswith("unstable: load 1.3 >= 1 and the number in system grows by ")
    rate = len(run) / (run.arrival_s[-1] - run.arrival_s[0])
    assert verdict.growth_per_s == pytest.approx(rate - len(run) / run.makespan_s, rel=0.25)
    assert stability(run).reason.startswith("unstable: the number in system grows by ")


def test_policy_is_blamed_below_load_one():
    """When the load is below 1 and the queue grows all the same, the policy cannot keep up."""
    verdict = stability(served(0.7, one_at_a_time), 0.7)
    assert not verdict.stable
    assert "although load 0.7 < 1: the policy cannot keep up" in verdict.reason


def filling(lasts_s: float, scheduled_s: float = 0.0) -> Run:
    """600 arrivals, one per second, that all stay equally long."""
    arrivals = np.arange(600.0)
    completion = arrivals + lasts_s
    integral, busy = np.array([600 * lasts_s]), np.array([completion[-1]])
    run = queue_run(arrivals, np.full(600, 0.5))
    return replace(
        run,
        first_scheduled_s=arrivals + scheduled_s,
        completion_s=completion,
        busy_s=busy,
        batch_s=integral,
    )


@pytest.mark.parametrize("load", [None, 0.9])
def test_filling_a_large_batch_is_not_growth(load):
    """A batch of 300 that fills up over half of the run is work in progress, not a queue."""
    assert stability(filling(300.0), load).stable


def test_preempted_requests_are_a_queue():
    """Requests scheduled at once and preempted ever after are seen, though none waits for its first turn."""
    run = filling(math.inf)
    hoarding = replace(run, batch_s=30 * run.arrival_s[-1:], busy_s=run.arrival_s[-1:])
    verdict = stability(hoarding, 0.9)
    assert not verdict.stable
    assert verdict.growth_per_s == pytest.approx(1.0)


def test_number_seen_is_counted():
    """Each arrival sees those before it that have not left, by direct counting, ties and NaN included."""
    rng = np.random.default_rng(1)
    arrivals = np.sort(rng.integers(0, 50, 200).astype(float))
    completion = arrivals + rng.integers(1, 20, 200)
    completion[::17] = math.nan
    run = replace(queue_run(arrivals, np.ones(200)), completion_s=completion)
    direct = [sum(not c <= a for c in completion[:i]) for i, a in enumerate(arrivals)]
    assert seen_by_arrivals(run).tolist() == direct
    run = mm1(0.8, 300, rng)
    direct = [sum(run.first_scheduled_s[:i] > a) for i, a in enumerate(run.arrival_s)]
    assert seen_by_arrivals(run, waiting=True).tolist() == direct


def test_unfinished_runs_are_judged():
    """Requests that never complete stay in the system: a server that stops is unstable."""
    run = mm1(0.5, 1000, np.random.default_rng(3))
    stopped = np.where(np.arange(1000) < 300, run.completion_s, math.nan)
    assert not stability(replace(run, completion_s=stopped)).stable


def test_undecided():
    """Few requests, or all at one instant, allow no verdict: no alarm, and the reason says so."""
    few = mm1(2.0, 50, np.random.default_rng(4))
    at_once = queue_run(np.zeros(500), np.ones(500))
    for run in (few, at_once):
        verdict = stability(run, 2.0)
        assert (verdict.stable, verdict.growth_per_s) == (True, 0.0)
        assert "undecided" in verdict.reason


def test_calm_overload_is_explained():
    """At a load just above 1 that has not shown yet, the reason warns that the run is too short."""
    rng = np.random.default_rng(5)
    run = queue_run(np.cumsum(rng.uniform(0.9, 1.1, 300)), np.full(300, 0.5))
    assert "load 1 >= 1" in stability(run, 1.0).reason
    assert stability(run).reason == "no significant growth of the number in system"


@pytest.mark.parametrize("load", [-0.1, math.nan, math.inf])
def test_bad_load(load):
    """A load that is no number is refused."""
    with pytest.raises(InputError, match="load"):
        stability(mm1(0.5, 200, np.random.default_rng(6)), load)


def test_a_least_load_of_one_is_unstable():
    """Claim: where the load is unknown but at least 1, no run that rejects nobody is stable, also a level one."""
    level = queue_run(np.arange(300.0), np.full(300, 0.5))
    verdict = stability(level, least_load=5.98)
    assert (verdict.stable, verdict.reason) == (False, "unstable: load >= 5.98")
    assert stability(level, least_load=0.98).stable
    rejecting = replace(level, rejected=np.arange(300) % 2)
    assert stability(rejecting, least_load=2.0).stable
    growing = stability(served(1.3, both_kinds), least_load=1.2)
    assert growing.reason.startswith("unstable: load >= 1.2 and the number in system grows by ")


@pytest.mark.parametrize("load", [None, 1.1, 0.9])
def test_much_growth_is_never_called_none(load):
    """Claim: growth above half the arrival rate is unstable unless the load is below 1, and is always told."""
    verdict = stability(filling(math.inf), load)
    assert verdict.growth_per_s == pytest.approx(1.0)
    assert verdict.stable is (load == 0.9)
    assert "grows by 1 requests/s" in verdict.reason
    assert "no significant growth" not in verdict.reason
