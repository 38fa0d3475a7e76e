"""Every policy keeps what it promises, on every service model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE, SERVICE_MODELS, build, random_workload, seeds, services, tight_hardware

from orsched import Fleet, Information, Workload, simulate
from orsched.errors import UnknownNameError
from policies import RECIPES, ROUTERS, get_recipe, get_router, wait

WAITS_ON_PURPOSE = {"multi-bin", *(recipe.name for recipe in wait.RECIPES)}
NEVER_PREEMPT = ("orca", "sjf", "svf", "mc-sf", "mc-benchmark", "sorted-f", "a-max", "srpt", "vtc", "multi-bin")


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("service", sorted(SERVICE_MODELS))
@pytest.mark.parametrize("block", [1, 16])
def test_serves_everybody_within_memory(name, service, block):
    """Claim: no request lost or served twice, the ledger agrees with the requests all along."""
    workload = random_workload(7)
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS[service], 7, block))
    policy = build(name, workload, fleet)
    if policy is None:
        pytest.skip("WAIT's conditions cannot be met on this instance")
    run = simulate(workload, fleet, policy, check=True)
    assert np.isfinite(run.completion_s).all()
    assert len(run) == len(workload)


@settings(max_examples=60)
@given(st.sampled_from(sorted(set(RECIPES) - WAITS_ON_PURPOSE)), services, seeds)
def test_work_conserving_policies_never_idle_with_work(name, service, seed):
    """Claim: while a request is in the system, every policy but those that wait for company keeps the instance busy."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(service, seed, 16))
    policy = build(name, workload, fleet)
    run = simulate(workload, fleet, policy)
    order = np.argsort(run.arrival_s)
    occupied, free_from = 0.0, 0.0
    for start, end in zip(run.arrival_s[order], run.completion_s[order], strict=True):
        occupied += max(0.0, end - max(start, free_from))
        free_from = max(free_from, end)
    assert run.busy_s[0] == pytest.approx(occupied, rel=1e-9)


@pytest.mark.parametrize("name", NEVER_PREEMPT)
@settings(max_examples=15)
@given(seed=seeds, service=services, block=st.sampled_from([1, 16]))
def test_policies_that_promise_it_never_preempt(name, seed, service, block):
    """Claim: setting aside the peak at admission, checking all future memory with lengths that are not exceeded, or
    cutting batches to the memory means no preemption, whatever the memory."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    assert simulate(workload, fleet, build(name, workload, fleet), seed=seed).preemptions.sum() == 0


def test_fcfs_policies_first_schedule_in_order_of_arrival():
    """Claim: vLLM v0, v1, Sarathi and Orca are first come first served at first admission."""
    workload = random_workload(3)
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS["hinged"], 3, 16))
    for name in ("vllm-v0", "vllm-v1", "sarathi", "orca"):
        run = simulate(workload, fleet, build(name, workload, fleet))
        assert (np.diff(run.first_scheduled_s) >= 0).all(), name


def test_sjf_serves_the_short_before_the_long():
    """Claim: of two requests waiting behind a third, the one with fewer output tokens starts first."""
    workload = Workload.of([0.0, 0.1, 0.2], [100, 100, 100], [50, 60, 5])
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS["affine"], 1, 1))
    from dataclasses import replace

    fleet = Fleet.identical(replace(fleet.hardware, kv_capacity_tokens=165))
    run = simulate(workload, fleet, build("sjf", workload, fleet))
    assert run.first_scheduled_s[2] < run.first_scheduled_s[1]


def test_defaults_carry_the_information_they_need():
    """Claim: tables can print what each policy may know."""
    levels = {name: recipe.information for name, recipe in RECIPES.items()}
    assert levels["sjf"] is Information.ORACLE
    assert levels["wait"] is Information.CLASS
    assert levels["vllm-v1"] is Information.NONE


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_build_what_they_announce(name):
    """Claim: under a name and an information stands a policy of that name and information."""
    workload = random_workload(7)
    policy = build(name, workload, Fleet.identical(tight_hardware(SERVICE_MODELS["hinged"], 7, 16)))
    if policy is None:
        pytest.skip("WAIT's conditions cannot be met on this instance")
    assert (policy.name, policy.information) == (name, RECIPES[name].information)


def test_unknown_names_suggest_the_nearest():
    """Claim: misspelt policies and routers are answered with what was meant."""
    with pytest.raises(UnknownNameError, match="did you mean 'sarathi'"):
        get_recipe("saratti")
    with pytest.raises(UnknownNameError, match="round-robin"):
        get_router("roundrobin")


@pytest.mark.parametrize("router", sorted(ROUTERS))
def test_routers_balance_identical_instances(router):
    """Claim: behind every router each of four instances gets a fair share of 2,000 requests (within 5 sigma of
    the multinomial for the randomised ones; the others do better)."""
    rng = np.random.default_rng(0)
    n = 2000
    fleet = Fleet.identical(REFERENCE, 4)
    workload = Workload.of(
        np.cumsum(rng.exponential(1, n)), rng.integers(50, 500, n), rng.integers(20, 200, n)
    ).at_load(0.6, fleet)
    run = simulate(workload, fleet, build("vllm-v1", workload, fleet).routed_by(ROUTERS[router]), seed=1)
    counts = np.bincount(run.instance, minlength=4)
    assert (np.abs(counts - n / 4) < 5 * np.sqrt(n * 3 / 16)).all(), counts


def test_round_robin_cycles():
    """Claim: the k-th request goes to instance k mod n."""
    workload = random_workload(2)
    fleet = Fleet.identical(REFERENCE, 3)
    run = simulate(workload, fleet, build("vllm-v0", workload, fleet).routed_by(ROUTERS["round-robin"]))
    np.testing.assert_array_equal(run.instance, np.arange(len(workload)) % 3)


@given(seeds, st.integers(2, 6))
@settings(max_examples=30)
def test_shortest_queue_and_least_kv_match_a_scan_of_the_fleet(seed, size):
    """Claim: the indices answer as a scan over all instances would, ties to the lowest index."""
    workload = random_workload(seed)
    fleet = Fleet.identical(tight_hardware(SERVICE_MODELS["affine"], seed, 16), size)
    policy = build("sarathi", workload, fleet)

    def jsq(view, request, /):
        scan = min(range(view.size), key=lambda i: (view.in_system(i), i))
        assert ROUTERS["jsq"](view, request) == scan
        return scan

    def kv(view, request, /):
        scan = min(range(view.size), key=lambda i: (view.kv_tokens(i), i))
        assert ROUTERS["least-kv"](view, request) == scan
        return scan

    simulate(workload, fleet, policy.routed_by(jsq))
    simulate(workload, fleet, policy.routed_by(kv))
