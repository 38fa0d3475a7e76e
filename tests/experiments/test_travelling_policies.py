"""A policy that cannot be sent to other processes."""

import threading

import pytest

from experiments import gap_table
from orsched import Fleet, Policy, hardware
from orsched.errors import InputError
from policies.vllm_v1 import vllm_v1


class Locked:
    """A batcher that holds what no pickle takes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.rule = vllm_v1().batch

    def __call__(self, view, /):
        with self.lock:
            return self.rule(view)


def test_a_policy_that_cannot_travel_is_named():
    """Claim: one line with the policy, why, and what to do; with one worker it runs, and a local function travels."""
    fleet = Fleet.single(hardware("reference"))
    rule = vllm_v1().batch
    local = Policy("local", lambda view: rule(view))
    kinds = {"loads": 0.5, "requests": 40, "replications": 2}
    said = r"^policy 'locked' cannot be sent to other processes \(TypeError: .*lock.*\): run with one worker"
    with pytest.raises(InputError, match=said) as caught:
        gap_table("reference", fleet, [local, Policy("locked", Locked())], workers=2, **kinds)
    assert "\n" not in str(caught.value)
    alone = gap_table("reference", fleet, [local, Policy("locked", Locked())], workers=1, **kinds)
    assert alone.row("locked", 0.5).metrics == alone.row("local", 0.5).metrics
    assert gap_table("reference", fleet, [local], workers=2, **kinds).rows
