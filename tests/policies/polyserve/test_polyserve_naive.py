"""The indexed router against brute force, decision by decision."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from polyserve_rules import DIALECTS, Naive, random_case

from orsched import simulate
from orsched.engine.actions import Routing
from orsched.faults import InstanceFault
from policies.polyserve.book import Book


def compare(dialect, seed, *, deaths=0):
    """Run a random case, check every decision, and count the kinds of answers."""
    rng = np.random.default_rng([seed, 7])
    work, fleet, settings, policy = random_case(rng, **DIALECTS[dialect])
    kinds = Counter()

    def route(view, request):
        answer = policy.route(view, request)
        naive = Naive(work, settings, view.memo["polyserve"].lengths)
        expected = naive.decide(view, request)
        found = None if isinstance(answer, Routing) else answer
        assert found == expected, f"request {request} at {view.now_s}: {answer} but {expected}"
        if found is None:
            kinds["claimed" if answer.instance is not None else "kept"] += 1
        else:
            own = naive.tier_of_class(view.label(request))
            kinds["own" if naive.tier_of_server(view, found) == own else "promoted"] += 1
        return answer

    faults = [InstanceFault(float(rng.uniform(0, 1)), int(rng.integers(fleet.size)), 0.3) for _ in range(deaths)]
    run = simulate(work, fleet, replace(policy, route=route), seed, check=True, faults=faults)
    assert np.isfinite(run.completion_s).all()
    return kinds


@pytest.mark.parametrize("dialect", DIALECTS)
def test_indexed_decisions_are_those_of_the_naive_scan(dialect):
    """Claim: books, bounds and screen change no decision: server by server brute force says the same each time."""
    compare(dialect, 0)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_decisions_about_those_who_start_again(dialect):
    """Claim: the same when servers die, and requests that have emitted much of their answer look for another."""
    for seed in (10, 32, 39):
        compare(dialect, seed, deaths=3)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_books_never_hide_room(dialect):
    """Claim: at every decision the bound that a book keeps is below the peak found anew, for whatever has happened."""
    rng = np.random.default_rng([1, 7])
    work, fleet, settings, policy = random_case(rng, **DIALECTS[dialect])
    least, bounds = settings.least_remaining_tokens, 0

    def route(view, request):
        nonlocal bounds
        desk = policy.route.desks(view)
        for server, book in enumerate(desk.books):
            if desk.tier_of(server) is not None and book.beside is not None:
                anew = Book()
                anew.catch_up(view, server, desk.lengths, least)
                tick = view.clock(server)
                passed = book.growing * (tick - book.tick)
                assert book.beside - passed <= settings.peak(anew, tick, desk.shortest, least).beside
                bounds += 1
        return policy.route(view, request)

    simulate(work, fleet, replace(policy, route=route))
    assert bounds > 20


def test_the_comparison_meets_every_step_of_the_ladder():
    """Claim: those runs have servers of the own tier, promotions, claims and requests that wait."""
    kinds = sum((compare("default", seed) for seed in range(1, 6)), Counter())
    assert min(kinds[name] for name in ("own", "promoted", "claimed", "kept")) > 10


@pytest.mark.slow
@pytest.mark.parametrize("dialect", DIALECTS)
def test_many_more_decisions(dialect):
    """Claim: the same on many more random cases."""
    for seed in range(6, 40):
        compare(dialect, seed)
