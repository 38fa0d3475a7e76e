"""Quality of experience of a run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import REFERENCE

from orsched import Fleet, Workload, simulate
from orsched.errors import InputError
from orsched.qoe import qoe
from policies.vllm_v1 import vllm_v1

ONE = simulate(Workload.of([1.0], [10], [5]), Fleet.identical(REFERENCE), vllm_v1())


def delivered(first_s, last_s, tokens):
    """A run of one request that arrived at 1 s, with these delivery times after its arrival."""
    return replace(
        ONE,
        output_tokens=np.array([tokens]),
        first_token_s=np.array([1 + first_s]),
        completion_s=np.array([1 + last_s]),
    )


def by_tokens(first_s, last_s, tokens, ttft_s, speed):
    """The definition, token by token."""
    expected = ttft_s + np.arange(tokens) / speed
    read = []
    for time in np.linspace(first_s, last_s, tokens):
        read.append(time if not read else max(time, read[-1] + 1 / speed))
    end = max(read[-1], expected[-1]) + 1 / speed
    return 1 - np.maximum(np.array(read) - expected, 0).sum() / (end - expected).sum()


times = st.floats(0, 20)


@settings(max_examples=300)
@given(times, st.floats(0, 60), st.integers(1, 200), times, st.floats(0.2, 50))
def test_the_closed_form_is_the_sum_over_tokens(first_s, length_s, tokens, ttft_s, speed):
    """Claim: for evenly spaced tokens the closed form equals the sums of the definition, and lies in (0, 1]."""
    last_s = first_s + length_s if tokens > 1 else first_s
    value = qoe(delivered(first_s, last_s, tokens), ttft_s, speed)[0]
    assert value == pytest.approx(by_tokens(first_s, last_s, tokens, ttft_s, speed), rel=1e-9, abs=1e-9)
    assert -1e-9 < value <= 1


def test_by_hand():
    """Claim: two tokens expected at 1 and 2 s, one second each to read. In time: 1. Both at 2 s: read at 2 and 3 s,
    both 1 s late, done at 4 s: 1 - 2 / (3 + 2). The second at 5 s: late by 1 and 3 s, done at 6 s: 1 - 4 / (5 + 4)."""
    assert qoe(delivered(0.5, 2.0, 2), 1.0, 1.0)[0] == 1
    assert qoe(delivered(2.0, 2.0, 2), 1.0, 1.0)[0] == pytest.approx(0.6)
    assert qoe(delivered(2.0, 5.0, 2), 1.0, 1.0)[0] == pytest.approx(5 / 9)


@pytest.mark.parametrize(
    ("user", "message"), [((-1.0, 5.0), "ttft_s = -1.0"), ((1.0, 0.0), "tokens_per_s = 0.0"), ((1.0, np.inf), "inf")]
)
def test_impossible_users_are_refused(user, message):
    """Claim: the message names the parameter."""
    with pytest.raises(InputError, match=message):
        qoe(ONE, *user)


def test_an_unfinished_run_has_no_quality():
    """Claim: the request that has not completed is named."""
    with pytest.raises(InputError, match="request 0 has not completed"):
        qoe(replace(ONE, completion_s=np.array([np.nan])), 1.0, 5.0)
