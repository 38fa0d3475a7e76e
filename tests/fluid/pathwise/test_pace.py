"""What pace costs: a lower bound for every division of the time, and exact for an even one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.pathwise.pace import Stage
from orsched.service import Minorant
from orsched.work import RequestWork

coefficients = st.sampled_from([0.0, 1e-4, 0.01, 0.5])
minorants = st.builds(Minorant, st.sampled_from([0.0, 0.01, 1.0]), *[coefficients] * 4)


def marginal_works(minorant, prompt, output):
    """Of the whole prompt, then of each decode."""
    prefill = minorant.prompt_token_s * prompt + minorant.chunk_attention_s * prompt**2 / 2
    decodes = [minorant.sequence_s + minorant.kv_token_s * (prompt + k) for k in range(output - 1)]
    return [prefill, *decodes]


@settings(max_examples=200)
@given(minorants, st.integers(1, 40), st.integers(1, 40), st.lists(st.floats(0.001, 10), min_size=40, max_size=40))
def test_no_division_of_the_time_takes_less(minorant, prompt, output, spare):
    """Iterations of any lengths that fit their works and add up to the limit."""
    works = np.array(marginal_works(minorant, prompt, output))
    lengths = minorant.base_s + works + np.array(spare[:output])
    received = float(np.sum(works * lengths / (lengths - minorant.base_s)))
    stage = Stage.of(minorant, RequestWork.of(np.array([prompt]), np.array([output])), "all")
    assert stage.paced_s(np.array([lengths.sum()]))[0] <= received * (1 + 1e-9)


@settings(max_examples=200)
@given(minorants, st.integers(1, 60), st.integers(1, 60))
def test_the_sum_of_roots_is_from_below_and_close(minorant, prompt, output):
    """The closed form never exceeds the sum, and loses less than 3%."""
    stage = Stage.of(minorant, RequestWork.of(np.array([prompt]), np.array([output])), "all")
    exact = float(np.sum(np.sqrt(marginal_works(minorant, prompt, output))))
    assert exact * 0.97 <= stage.roots[0] <= exact * (1 + 1e-12)


@settings(max_examples=100)
@given(minorants, st.integers(1, 60), st.integers(1, 60))
def test_parts_add_up(minorant, prompt, output):
    work = RequestWork.of(np.array([prompt]), np.array([output]))
    prefill, decode, whole = (Stage.of(minorant, work, part) for part in ("prefill", "decode", "all"))
    assert whole.work_s[0] == pytest.approx(prefill.work_s[0] + decode.work_s[0])
    assert whole.work_s[0] == pytest.approx(minorant.work_s(work)[0])
    assert whole.iterations[0] == output


def test_equal_iterations_are_exact():
    """Ten decodes in batches of seven, each filling the limit: a seventh of the time each."""
    minorant = Minorant(0.3, 0.0, 0.1, 0.0)
    stage = Stage.of(minorant, RequestWork.of(np.array([5]), np.array([11])), "decode")
    assert stage.paced_s(np.array([10 * (0.3 + 7 * 0.1)]))[0] == pytest.approx(10 * 1.0 / 7)


def test_limits_that_cannot_be_met():
    """No time beyond the bases: infinite, unless there is no marginal work or nothing to do."""
    work = RequestWork.of(np.array([5, 5, 5]), np.array([11, 11, 1]))
    limits = np.array([3.0, 4.0, 0.0])
    assert np.isinf(Stage.of(Minorant(0.3, 0.0, 0.1, 0.0), work, "decode").paced_s(limits)).tolist() == [
        True,
        False,
        False,
    ]
    assert Stage.of(Minorant(0.3, 0.0, 0.0, 0.0), work, "decode").paced_s(limits).tolist() == [0.0, 0.0, 0.0]
