"""Virtual token counters: order of admission, lifts, bounded unfairness, counting that does not depend on asking."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import random_workload, seeds, services, tight_hardware
from laws import assert_exact

from orsched import Fleet, Hardware, RequestClass, Workload, simulate
from orsched.service import Affine
from policies.orca import orca
from policies.parts.client_queues import ClientQueues
from policies.parts.token_counters import TokenPrices
from policies.vtc import vtc

ONE_SECOND = Affine(1.0, 0.0, 0.0, 0.0)


def of_clients(workload, count, rng):
    """The same requests, each of a random client."""
    classes = tuple(RequestClass(f"client {k}") for k in range(count))
    return replace(workload, class_id=rng.integers(0, count, len(workload)), classes=classes)


def services_received(workload, fleet, policy):
    """At every iteration end: who has waiting requests, and what each of two clients has been served, ``(k, 2)``.

    Counted from what is seen from outside: an input token counts 1 once its request is admitted, an output token 2.
    """
    backlogged, served = [], []

    def batch(view):
        plan = policy.batch(view)
        admitted = {chunk.request for chunk in plan.prefill}
        waiting = set(view.waiting)
        totals, queued = [0, 0], [False, False]
        for request in view.arrived:
            client = int(workload.class_id[request])
            queued[client] |= request in waiting
            if request in waiting and request not in admitted:
                continue
            emitted = workload.output_tokens[request]
            if request in waiting or request in view.running:
                emitted = view.emitted_tokens(request)
            totals[client] += int(workload.input_tokens[request]) + 2 * int(emitted)
        backlogged.append(all(queued))
        served.append(totals)
        return plan

    simulate(workload, fleet, replace(policy, batch=batch), epoch_limit=1)
    return np.array(backlogged), np.array(served)


def largest_difference(backlogged, served):
    """Largest ``|W_f(t1, t2) - W_g(t1, t2)|`` over intervals in which both clients have waiting requests all along."""
    gap, worst, start = served[:, 0] - served[:, 1], 0, None
    for k, both in enumerate([*backlogged, False]):
        if both and start is None:
            start = k
        elif not both and start is not None:
            worst = max(worst, int(np.ptp(gap[start:k])))
            start = None
    return worst


@settings(max_examples=40)
@given(seeds, services, st.sampled_from([1, 16]))
def test_backlogged_clients_are_served_alike(seed, service, block):
    """Claim: over any interval in which two clients have waiting requests, the services they receive differ by at most
    ``2 (w_in L + w_out M H_n)``, for prompts up to ``L``, ``M`` tokens of memory and ``n`` seats; and, on these
    instances, by at most ``2 max(w_in L, w_out M)``, which we know to be the published bound at second hand.

    Ours: the smallest counter ``v`` of a client with waiting requests never falls, since whoever comes to have some is
    lifted to it. A client is admitted at a counter of ``v``, so that until its next admission it is above ``v`` by at
    most the prompt and what its residents may still emit. By the fit test the ``k``-th longest of these has at most
    ``M / k`` tokens left, ``M H_n`` together. Both clients lie in ``[v, v + U]`` at both ends of the interval.
    """
    rng = np.random.default_rng(seed)
    n = 50
    arrivals = np.sort(np.where(rng.random(n) < 0.7, 0.0, rng.uniform(0, 3, n)))
    outputs = rng.integers(1, 60, n) if seed % 2 else rng.choice([1, 2, 150], n)
    workload = of_clients(Workload.of(arrivals, rng.integers(1, 200, n), outputs), 2, rng)
    fleet = Fleet.identical(tight_hardware(service, seed, block))
    difference = largest_difference(*services_received(workload, fleet, vtc()))
    longest, memory = int(workload.input_tokens.max()), fleet.hardware.kv_capacity_tokens
    harmonic = sum(1 / k for k in range(1, fleet.hardware.max_num_seqs + 1))
    assert difference <= 2 * (longest + 2 * memory * harmonic)
    assert difference <= 2 * max(longest, 2 * memory)


def test_first_come_first_served_is_not_fair():
    """Claim: when one client's 60 requests come just before another's, reserving in order of arrival serves the first
    alone for long, beyond the bound; counters serve them alike."""
    rng = np.random.default_rng(0)
    workload = Workload.of(
        np.r_[np.zeros(60), np.full(60, 0.001)],
        rng.integers(1, 20, 120),
        rng.integers(20, 40, 120),
        class_id=np.repeat([0, 1], 60),
        classes=(RequestClass("a"), RequestClass("b")),
    )
    fleet = Fleet.identical(Hardware("small", ONE_SECOND, 300, 8))
    bound = 2 * max(20, 2 * 300)
    assert largest_difference(*services_received(workload, fleet, orca())) > 2 * bound
    assert largest_difference(*services_received(workload, fleet, vtc())) < bound / 2


@pytest.mark.parametrize(("weights", "completion"), [(None, [2, 4, 8, 6]), ({0: 10.0}, [2, 4, 6, 8])])
def test_the_client_with_the_smallest_counter_goes_first(weights, completion):
    """Claim: by hand, one seat, 1 s an iteration. Client 0 has requests 0 and 2 (10 input tokens, 2 outputs), client 1
    has 1 and 3 (1 input, 2 outputs). The tie goes to client 0, which then stands at 14; client 1 follows twice, at 5
    and 10. With weight 10 client 0 stands at 1.4 and comes third."""
    workload = Workload.of(
        [0.0] * 4, [10, 1, 10, 1], [2] * 4, class_id=[0, 1, 0, 1], classes=(RequestClass("a"), RequestClass("b"))
    )
    run = simulate(workload, Fleet.identical(Hardware("seat", ONE_SECOND, 100, 1)), vtc(weights=weights))
    assert run.completion_s.tolist() == completion


def test_a_request_fits_by_the_longest_context():
    """Claim: by hand. The deployment's context is 10 tokens, so that every request may grow to 9 cached; 17 hold one
    such and one that starts when the other has grown by one: with prompts of 3 and 7 outputs to come the first starts
    at 0 s, the second at 1 s. 18 hold both at once. Nothing is preempted."""
    workload = replace(Workload.of([0.0, 0.0], [3, 3], [3, 3]), context_tokens=10)
    starts = {}
    for memory in (17, 18):
        run = assert_exact(workload, Fleet.identical(Hardware("hand", ONE_SECOND, memory, 8)), vtc())
        starts[memory] = run.first_scheduled_s.tolist()
        assert run.preemptions.sum() == 0
    assert starts == {17: [0.0, 1.0], 18: [0.0, 0.0]}


def test_an_idle_client_does_not_collect_credit():
    """Claim: by hand. Client 1 comes when client 0 waits with a counter of 12: it is lifted to 12. Client 2 comes when
    nobody waits, after client 0 was the last whose queue became empty, which has gone on to 26: it is lifted to 26."""
    clients = ClientQueues(TokenPrices())
    clients.arrive(0, 0, 0)
    clients.admit(0, 10, 0)
    clients.arrive(1, 0, 1)
    assert clients.counter(0, 1) == 12
    clients.arrive(2, 1, 1)
    assert clients.counter(1, 1) == 12
    clients.admit(1, 1, 1)
    assert clients.least(1) == 0
    clients.admit(0, 2, 1)
    assert clients.least(1) is None
    clients.follow({1, 2}, 4)
    assert clients.counter(0, 4) == 10 + 2 * 4 + 2 + 2 * 3
    clients.arrive(3, 2, 4)
    assert clients.counter(2, 4) == 26


@settings(max_examples=200)
@given(seeds, st.integers(1, 6))
def test_counters_are_those_of_counting_every_token(seed, count):
    """Claim: whatever arrives, starts and leaves, counters are those of charging every token when it is emitted; the
    least is the least; and before `overtaken_after` iterations it stays the least."""
    rng = np.random.default_rng(seed)
    prices = TokenPrices(1.0, 2.0, {k: float(rng.choice([1.0, 0.5, 4.0])) for k in range(count)})
    clients, plain, waiting = ClientQueues(prices), {}, {k: [] for k in range(count)}
    residents, last, now, held = {}, None, 0, (None, 0.0)
    for request in range(60):
        steps = int(rng.integers(0, 4))
        for _ in range(steps):
            now += 1
            for client in residents.values():
                plain[client] += 2 / prices.weights[client]
            if not np.isclose(held[1], now) and now < held[1]:
                assert clients.least(now) == held[0]
        for gone in [r for r in residents if rng.random() < 0.2 and steps]:
            del residents[gone]
        clients.follow(residents.keys(), now)
        client = int(rng.integers(count))
        plain.setdefault(client, 0.0)
        if not waiting[client]:
            others = [plain[k] for k in plain if waiting[k]]
            if others:
                plain[client] = max(plain[client], min(others))
            elif last is not None:
                plain[client] = max(plain[client], plain[last])
        waiting[client].append(request)
        clients.arrive(request, client, now)
        if rng.random() < 0.6:
            name, tokens = clients.least(now), int(rng.integers(1, 30))
            assert plain[name] == pytest.approx(min(plain[k] for k in plain if waiting[k]))
            assert clients.head(name) == waiting[name][0]
            residents[waiting[name].pop(0)] = name
            plain[name] += tokens / prices.weights[name]
            clients.admit(name, tokens, now)
            last = last if waiting[name] else name
        for k in plain:
            assert clients.counter(k, now) == pytest.approx(plain[k])
        name = clients.least(now)
        held = (None, 0.0) if name is None else (name, now + clients.overtaken_after(name, now))


@settings(max_examples=60)
@given(seeds, services, st.sampled_from([1, 16]), st.integers(1, 12), st.booleans())
def test_the_law_holds_for_any_number_of_clients(seed, service, block, count, weighted):
    """Claim: with clients that come and go, equal or weighted, everybody completes, nobody is preempted, and epochs of
    length one give the same run."""
    rng = np.random.default_rng(seed)
    workload = of_clients(random_workload(seed, n=40), count, rng)
    weights = {k: float(rng.uniform(0.2, 3)) for k in range(count)} if weighted else None
    run = assert_exact(workload, Fleet.identical(tight_hardware(service, seed, block)), vtc(weights=weights))
    assert run.preemptions.sum() == 0
