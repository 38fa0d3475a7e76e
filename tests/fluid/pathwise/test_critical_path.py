"""Critical paths against exhaustive chunkings."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.pathwise.critical_path import CriticalPaths, decode_alone_s, prefill_alone_s
from fluid.pathwise.minorants import sound_minorants, standalone
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, Hinged
from orsched.workloads import Workload
from tests.support.schedules import service_models


def chunkings(length):
    for cuts in itertools.product([False, True], repeat=length - 1):
        ends = [k + 1 for k, cut in enumerate(cuts) if cut] + [length]
        yield [b - a for a, b in itertools.pairwise([0, *ends])]


def alone(service, chunks):
    past = total = 0
    for p in chunks:
        total += service.iteration_s(Batch(p, p * (past + p / 2), past))
        past += p
    return total


@settings(max_examples=200)
@given(service_models(), st.integers(1, 7))
def test_no_chunking_of_a_prompt_is_faster(service, length):
    best = min(alone(service, chunks) for chunks in chunkings(length))
    bound = prefill_alone_s(sound_minorants(Hardware("gpu", service, 100), length), np.array([length]))[0]
    assert bound <= best * (1 + 1e-12)


def test_chunks_below_the_hinge_can_be_faster_than_the_whole_prompt():
    """Why the whole prompt alone is no bound for a hinged model; with equal chunks the bound is exact."""
    service = Hinged(1.0, 0.0, 0.0, 0.0, 2.0, 5.0)
    assert alone(service, [6]) == 21
    assert alone(service, [2, 2, 2]) == 3
    assert prefill_alone_s(sound_minorants(Hardware("gpu", service, 100), 6), np.array([6, 2])) == pytest.approx(
        [3.0, 1.0]
    )


def test_affine_paths_are_exact():
    service = Affine(0.5, 0.1, 0.2, 0.01)
    work = Workload.of([0.0], [4], [4])
    paths = CriticalPaths.of(work, Fleet.identical(Hardware("gpu", service, 100)))
    assert paths.prefill_s == pytest.approx([0.9])
    decodes = sum(service.iteration_s(Batch(num_seqs=1, kv_tokens=k)) for k in (4, 5, 6))
    assert paths.decode_s == pytest.approx([decodes])
    assert paths.latency_s == pytest.approx([0.9 + decodes])
    assert paths.tpot_s == pytest.approx([decodes / 3])


@given(service_models(), st.integers(1, 9), st.integers(1, 9), st.data())
def test_decodes_add_up(service, length, outputs, data):
    """Splitting an answer anywhere loses nothing for one minorant and never gains."""
    middle = data.draw(st.integers(1, outputs))
    mixtures = standalone(sound_minorants(Hardware("gpu", service, 100), length))
    one, prompt, k, o = (np.array([x]) for x in (1, length, middle, outputs))
    parts = decode_alone_s(mixtures, prompt, one, k) + decode_alone_s(mixtures, prompt, k, o)
    whole = decode_alone_s(mixtures, prompt, one, o)
    assert whole <= parts * (1 + 1e-12)
    true = sum(service.iteration_s(Batch(num_seqs=1, kv_tokens=length + j)) for j in range(outputs - 1))
    assert whole <= true * (1 + 1e-12)


def test_one_token_answers_have_no_time_per_token():
    work = Workload.of([0.0, 1.0], [4, 4], [1, 3])
    paths = CriticalPaths.of(work, Fleet.identical(Hardware("gpu", Affine(0.5, 0.1, 0.2, 0.01), 100)))
    assert paths.tpot_s.shape == (1,)
