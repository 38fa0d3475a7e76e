"""The indexed router against brute force, decision by decision."""

from dataclasses import replace

import numpy as np
import pytest
from polyserve_rules import DIALECTS, Naive, random_case

from orsched import simulate
from orsched.engine.actions import Routing


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", range(4))
def test_indexed_decisions_are_those_of_the_naive_scan(dialect, seed):
    """Claim: books, floors and screen change no decision: server by server brute force says the same each time."""
    rng = np.random.default_rng([seed, 7])
    work, fleet, settings, policy = random_case(rng, **DIALECTS[dialect])
    asked = []

    def route(view, request):
        answer = policy.route(view, request)
        desk = view.memo["polyserve"]
        naive = Naive(work, settings, desk.lengths)
        expected = naive.decide(view, request)
        found = answer if not isinstance(answer, Routing) else None
        assert found == expected, f"request {request} at {view.now_s}: {answer} but {expected}"
        asked.append(found)
        return answer

    run = simulate(work, fleet, replace(policy, route=route), seed, check=True)
    assert np.isfinite(run.completion_s).all()
    assert len(asked) >= len(work)
