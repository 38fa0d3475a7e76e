"""Sound minorants stay below the iteration time, under every repair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluid.modes.batches import chunk_minorants
from fluid.pathwise.minorants import mix, recompute_proof, sound_minorants, standalone
from orsched.catalogue import Hardware
from orsched.load import LoadTerms, solve_load
from orsched.service import Affine, Batch, Hinged, Minorant
from tests.support.batches import value
from tests.support.schedules import service_models


def on(service, keeps=False):
    return Hardware("gpu", service, 100, keeps_preempted_kv=keeps)


batches = st.lists(
    st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=5
)  # (decoding, chunk or one, cached)


def batch_of(rows):
    chunks = [(p, c) for decoding, p, c in rows if not decoding]
    decodes = [c + 1 for decoding, _, c in rows if decoding]
    return Batch(
        sum(p for p, _ in chunks),
        sum(p * (c + p / 2) for p, c in chunks),
        sum(c for _, c in chunks),
        len(decodes),
        sum(decodes),
    )


@given(service_models(), batches, st.integers(1, 5))
def test_every_repaired_minorant_is_below_the_iteration_time(service, rows, least_prompt):
    batch = batch_of(rows)
    time = service.iteration_s(batch)
    sound = sound_minorants(on(service), least_prompt)
    for m in (*sound, *standalone(sound), mix(sound, [1 / len(sound)] * len(sound))):
        assert value(m, batch) <= time * (1 + 1e-9) + 1e-12
    assert all(m.base_s >= 0 for m in standalone(sound))


@given(service_models(), st.integers(1, 6))
def test_recomputation_never_pays(service, least_prompt):
    """Re-prefilling n + 1 tokens costs at least the decode that reads n."""
    for m in sound_minorants(on(service), least_prompt):
        n = np.arange(least_prompt, least_prompt + 200, dtype=float)
        again = m.prompt_token_s * (n + 1) + m.chunk_attention_s * (n + 1) ** 2 / 2
        assert (again >= (m.sequence_s + m.kv_token_s * n) * (1 - 1e-9) - 1e-12).all()


@given(service_models(), st.integers(1, 6), st.data())
def test_reuse_never_pays(service, least_prompt, data):
    """Claim: with retention, processing what is not retained costs at least the decode it replaces, however much is.

    For all minorants that bounds use, and for those by chunks each chunk its share of the decode.
    """
    n = data.draw(st.integers(least_prompt, least_prompt + 200))
    kept = data.draw(st.integers(0, n))
    tokens = n + 1 - kept
    part = data.draw(st.integers(1, tokens))
    for m in sound_minorants(on(service, True), least_prompt):
        again = m.prompt_token_s * tokens + m.chunk_attention_s * tokens * (kept + tokens / 2)
        assert again >= (m.sequence_s + m.kv_token_s * n) * (1 - 1e-9) - 1e-12
    for m in chunk_minorants(on(service, True), least_prompt):
        assert m.prompt_token_s * part >= part / tokens * (m.sequence_s + m.kv_token_s * n) * (1 - 1e-9) - 1e-12
        assert kept + part >= part / tokens * (n + 1)


@pytest.mark.parametrize(
    "service",
    [Affine.wait(0.01, 4e-7), Affine(0.012, 60e-6, 50e-6, 0.12e-6), Hinged(0.01, 60e-6, 20e-6, 1e-7, 256, 5e-5, 1e-9)],
)
def test_usual_models_are_left_alone(service):
    assert sound_minorants(on(service)) == service.affine_minorants()


def test_long_prompts_excuse_dear_sequences():
    """Where every prompt is long, re-prefilling is dear and nothing has to be lowered."""
    m = Minorant(0.01, 1e-5, 1e-3, 1e-7)
    assert recompute_proof(m, 1000) == m
    lowered = recompute_proof(m, 9)
    assert lowered.sequence_s == pytest.approx(10e-5 - 9e-7)
    assert lowered.kv_token_s == 1e-7


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 5)), min_size=1, max_size=4),
    st.floats(0, 4),
    st.floats(0.1, 3),
)
def test_mixtures_are_the_dual_of_the_load_programme(lines, least, base):
    """Min over N of the highest line = max over mixtures of their value at the least N."""
    lines = [(base, 0.0), *lines]
    minorants = [Minorant(a, w, 0, 0) for a, w in lines]
    primal = solve_load(LoadTerms(tuple(a for a, _ in lines), tuple(w for _, w in lines), least))
    dual = max(m.prompt_token_s + m.base_s * least for m in standalone(minorants))
    assert dual == pytest.approx(primal, rel=1e-9, abs=1e-9)


def test_without_a_positive_base_nothing_is_claimed():
    assert standalone([Minorant(-1.0, 1.0, 1.0, 1.0)]) == (Minorant(0.0, 0.0, 0.0, 0.0),)
