"""A policy that reads a hidden length is named."""

import re

import pytest

from orsched import Fleet, Policy, hardware, simulate, workload
from orsched.engine.plan import IDLE
from orsched.errors import InformationError


@pytest.mark.parametrize(
    "peek",
    [
        lambda view: view.output_tokens(0),
        lambda view: view.output_interval(0),
    ],
    ids=["length", "interval"],
)
def test_the_error_names_the_policy_wherever_it_peeks(peek):
    """Claim: each way to ask a batcher's view gives the same sentence, with the policy and what it declared."""
    fleet = Fleet.single(hardware("reference"))
    work = workload("reference").head(3).at_load(0.5, fleet)

    def batch(view):
        peek(view)
        return IDLE

    said = "request 0 is hidden: policy 'peeking' declared information 'none', it needs 'oracle' or 'predicted'"
    with pytest.raises(InformationError, match=re.escape(f"output length of {said}")):
        simulate(work, fleet, Policy("peeking", batch))


@pytest.mark.parametrize(
    "peek",
    [
        lambda view, request: view.predicted_tokens(request),
        lambda view, request: view.output_tokens(request),
        lambda view, request: view.remaining_tokens(request),
    ],
    ids=["predicted", "length", "remaining"],
)
def test_the_error_names_the_policy_whose_router_peeks(peek):
    """Claim: the same from the view of the fleet."""
    fleet = Fleet.single(hardware("reference"))
    work = workload("reference").head(3).at_load(0.5, fleet)

    def route(view, request):
        peek(view, request)
        return 0

    with pytest.raises(InformationError, match=r"request 0 is hidden: policy 'peeking' declared information 'none'"):
        simulate(work, fleet, Policy("peeking", lambda view: IDLE, route=route))
