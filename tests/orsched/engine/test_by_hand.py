"""Runs small enough to compute by hand."""

import math

import numpy as np
import pytest

from orsched import Fleet, Hardware, Plan, Policy, Workload, simulate
from orsched.engine.plan import DECODE_ALL, IDLE, Chunk
from orsched.service import Affine
from policies.vllm_v0 import vllm_v0

UNIT = Affine(1.0, 0.0, 0.0, 0.0)
LINEAR = Affine(1.0, 0.01, 0.1, 0.001)


def one_by_one(view):
    """Serve one request at a time."""
    if view.running:
        return DECODE_ALL
    for request in view.waiting:
        return Plan((Chunk(request, view.prompt_tokens[request]),))
    return IDLE


def test_one_request_costs_its_closed_form():
    """Claim: prefill 1 + 0.01 l, then decode k costs 1 + 0.1 + 0.001 (l + k - 1); TTFT and latency follow."""
    run = simulate(
        Workload.of([2.0], [100], [4]), Fleet.identical(Hardware("h", LINEAR, 1000)), Policy("one", one_by_one)
    )
    assert run.first_token_s[0] == pytest.approx(2.0 + 2.0)
    decodes = [1.1 + 0.001 * (100 + k - 1) for k in (1, 2, 3)]
    assert run.completion_s[0] == pytest.approx(4.0 + sum(decodes))
    assert run.busy_s[0] == pytest.approx(2.0 + sum(decodes))
    held = 100 * 2.0 + sum((100 + k) * t for k, t in zip((1, 2, 3), decodes, strict=True))
    assert run.kv_token_s[0] == pytest.approx(held)
    assert run.iterations[0] == 4


def test_an_arrival_is_seen_at_the_end_of_the_iteration_in_flight():
    """Claim: with unit iterations, a request that arrives at 3.5 during a decode run is prefilled at 4."""
    hardware = Hardware("h", UNIT, 1000)
    run = simulate(Workload.of([0.0, 3.5], [10, 10], [20, 1]), Fleet.identical(hardware), vllm_v0())
    assert run.first_scheduled_s[1] == pytest.approx(4.0)
    assert run.first_token_s[1] == pytest.approx(5.0)
    # vLLM v0's prefill batch stalls the first request for one iteration: 20 of its own and one pause.
    assert run.completion_s[0] == pytest.approx(21.0)


def test_preemption_recomputes_prompt_and_emitted_tokens():
    """Claim: two requests of 4 + 4 tokens in 12 KV tokens: the later one is preempted when growth no longer fits,
    and its recomputation processes its prompt and the tokens it had emitted."""
    prompts = []

    class Recording(Affine):
        __slots__ = ()

        def iteration_s(self, batch, point=None):
            if batch.prompt_tokens:
                prompts.append(batch.prompt_tokens)
            return 1.0

    service = Recording(1.0, 0.0, 0.0, 0.0)
    run = simulate(
        Workload.of([0.0, 0.0], [4, 4], [5, 5]), Fleet.identical(Hardware("h", service, 12)), vllm_v0(watermark=0.0)
    )
    # Both prefilled at 0 (8 tokens), two decodes fill 12; growth needs 2 more, so the second is preempted with
    # 3 tokens emitted and later recomputes 4 + 3 tokens.
    assert prompts == [8, 7]
    assert run.preemptions.tolist() == [0, 1]
    assert run.completion_s[0] == pytest.approx(5.0)
    assert run.completion_s[1] == pytest.approx(5.0 + 1 + 1)


def test_time_limits_wake_the_policy_while_idle_and_while_busy():
    """Claim: `until_s` wakes an idle policy at that time, and ends an epoch at the next iteration end."""
    asked = []

    def patient(view):
        asked.append(view.now_s)
        if view.running:
            return Plan(until_s=6.5) if view.now_s < 6.5 else DECODE_ALL
        if view.now_s < 3.0:
            return Plan(decode=(), until_s=3.0)
        return one_by_one(view)

    run = simulate(Workload.of([0.0], [1], [10]), Fleet.identical(Hardware("h", UNIT, 100)), Policy("patient", patient))
    assert asked == pytest.approx([0.0, 3.0, 4.0, 7.0, 13.0])
    assert run.completion_s[0] == pytest.approx(13.0)


def test_simultaneous_arrivals_are_seen_together():
    """Claim: requests that arrive at the same instant are all queued before the policy is asked."""
    run = simulate(
        Workload.of([1.0, 1.0, 1.0], [5, 5, 5], [1, 1, 1]), Fleet.identical(Hardware("h", UNIT, 100)), vllm_v0()
    )
    np.testing.assert_allclose(run.completion_s, 2.0)
    assert math.isclose(run.makespan_s, 1.0)
