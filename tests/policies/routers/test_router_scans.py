"""Routers that ask an index decide as a scan of all instances would."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routed_fleets import routed_case

from policies.routers import (
    AIBrix,
    Dynamo,
    LeastWork,
    LinearScore,
    MooncakeConductor,
    lmetric,
    token_jsq,
    vllm_router,
)


def by_score(score):
    """The scan for a score: ties to the lowest index."""
    return lambda view, request: min(view.members(), key=lambda i: (score(view, request, i), i), default=None)


def hit(view, request, i):
    return view.cached_prefix_tokens(i, request) if view.hardware(i).keeps_prefixes else 0


def lmetric_score(view, request, i):
    tokens = view.backlog_tokens(i) + view.prompt_tokens(request) - hit(view, request, i)
    return tokens * view.in_system(i), tokens


def linear_score(view, request, i):
    most = max(1, *map(view.in_system, view.members()))
    miss = 1 - hit(view, request, i) / view.prompt_tokens(request)
    return 0.7 * miss + (1 - 0.7) * (view.in_system(i) / most)


def dynamo_score(view, request, i):
    return 1.5 * (view.backlog_tokens(i) - hit(view, request, i)) + view.kv_tokens(i)


def conductor_score(view, request, i):
    conductor, matches = MooncakeConductor(2.0, chunk_tokens=16), {j: hit(view, request, j) for j in view.members()}
    matches = {j: tokens for j, tokens in matches.items() if tokens}
    best = max(matches.values(), default=0)
    return conductor.ttft_s(view, i, request, matches, best), view.in_system(i)


def work_score(view, request, i):
    return LeastWork().work_s(view, i, LeastWork().prices(view.hardware(i)))


def aibrix(view, request):
    """AIBrix as its docstring says, with numpy."""
    members = np.array(view.members(), dtype=int)
    if not len(members):
        return None
    loads = np.array([view.in_system(i) for i in members])
    hits = np.array([hit(view, request, i) for i in members])
    shortest = members[loads.argmin()]
    most = loads.min() if np.ptp(loads) > 2 else loads.mean() + 0.5 * loads.std() + 1e-12
    fitting = np.flatnonzero((loads <= most) & (hits > 0))
    if not len(fitting):
        return shortest
    return members[min(fitting, key=lambda k: (-hits[k], loads[k], k))]


SCANS = {
    "vllm": (vllm_router, by_score(lambda view, _, i: 4 * view.num_waiting(i) + view.num_running(i))),
    "token-jsq": (token_jsq, by_score(lambda view, _, i: (view.backlog_tokens(i), view.in_system(i)))),
    "least-work": (LeastWork(), by_score(work_score)),
    "lmetric": (lmetric, by_score(lmetric_score)),
    "linear": (LinearScore(), by_score(linear_score)),
    "dynamo": (Dynamo(1.5), by_score(dynamo_score)),
    "conductor": (MooncakeConductor(2.0, chunk_tokens=16), by_score(conductor_score)),
    "aibrix": (AIBrix(2, 0.5), aibrix),
}


@pytest.mark.parametrize("name", sorted(SCANS))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_indices_answer_as_scans(name, seed):
    """Claim: at every decision of a run with caches, roles, faults and migrations, the answer is that of the scan."""
    router, scan = SCANS[name]
    compared = []

    def both(view, request, /):
        answer = router(view, request)
        if isinstance(answer, tuple):
            return answer
        assert answer == scan(view, request)
        compared.append(answer)
        return answer

    routed_case(seed, both).run()
    assert compared
