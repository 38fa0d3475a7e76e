"""Replicas in lockstep: one instance whose decodes are spread over ranks."""

from dataclasses import replace

import pytest
from batches import value
from hypothesis import given
from hypothesis import strategies as st
from instances import AFFINE, HINGED, LOCKSTEP, TABULATED

from orsched.devices import chip, model_config
from orsched.errors import InputError
from orsched.hardware_file import hardware_from_toml
from orsched.service import Batch, Lockstep, OperatingPoint, PowerLaw, Scaling
from orsched.service.roofline import Roofline

groups = st.builds(Lockstep, st.sampled_from([AFFINE, HINGED, TABULATED, LOCKSTEP]), st.integers(1, 16))
batches = st.builds(
    lambda prompt, past, seqs, each: Batch(prompt, prompt * (past + prompt / 2), past, seqs, seqs * each),
    st.integers(0, 3000),
    st.integers(0, 3000),
    st.integers(0, 300),
    st.integers(1, 4000),
).filter(lambda batch: batch.prompt_tokens or batch.num_seqs)


@given(groups, batches)
def test_a_group_is_its_rank_with_a_share_of_the_decodes(group, batch):
    """Claim: the time is a rank's with one prompt and 1/ranks of the decodes, one at least; minorants are below."""
    fullest = max(1, batch.num_seqs / group.ranks) if batch.num_seqs else 0
    each = batch.kv_tokens / max(1, batch.num_seqs)
    time_s = group.iteration_s(batch)
    share = batch._replace(num_seqs=fullest, kv_tokens=fullest * each)
    assert time_s == pytest.approx(group.service.iteration_s(share), rel=1e-12)
    for m in group.affine_minorants():
        assert value(m, batch) <= time_s * (1 + 1e-12)


@given(groups, st.integers(1, 300), st.integers(0, 500_000))
def test_decode_curves_are_iteration_times(group, seqs, kv):
    """Claim: the curve that drives the epochs is the decode-only iteration time of the group."""
    expected = group.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
    assert group.decode_curve(seqs)(kv) == pytest.approx(expected, rel=1e-12)


@given(st.integers(1, 8), st.integers(1, 80), st.integers(1, 400), st.floats(1, 4))
def test_unequal_contexts(ranks, seqs, each, stretch):
    """Claim: the group's skew moves its KV tokens as the rank's moves the rank's."""
    group, kv = Lockstep(TABULATED, ranks), seqs * each
    longest = stretch * each
    moved = kv + group.kv_skew(seqs) * (seqs * longest - kv)
    unequal = group.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv, longest_kv_tokens=longest))
    assert unequal == pytest.approx(group.iteration_s(Batch(num_seqs=seqs, kv_tokens=moved)), rel=1e-12)


def test_one_rank_is_the_service_itself():
    """Claim: a group of one changes nothing."""
    batch = Batch(300, 60_000.0, 50, 20, 9000)
    assert Lockstep(HINGED, 1).iteration_s(batch) == HINGED.iteration_s(batch)
    assert Lockstep(HINGED, 1).affine_minorants() == HINGED.affine_minorants()


def test_power_and_operating_points():
    """Claim: power is the whole group's law, or that of every rank; another point moves the ranks and the law."""
    law = PowerLaw(200, 1, 0, 0, 0, 1000)
    group = Lockstep(replace(AFFINE, scaling=Scaling(saturation_share=0.5)), 2, law)
    batch, slow = Batch(num_seqs=4, kv_tokens=400), OperatingPoint(clock_share=0.5)
    assert group.power_w(batch) == law.power_w(batch, group.iteration_s(batch))
    assert group.at(OperatingPoint()) is group
    assert group.at(slow) == Lockstep(group.service.at(slow), 2, law.at(slow))
    assert LOCKSTEP.power_w(batch) is None
    powered = replace(AFFINE, power=law)
    assert Lockstep(powered, 2).power_w(batch) == 2 * powered.power_w(Batch(num_seqs=2, kv_tokens=200))


@given(st.integers(2, 8), st.integers(0, 12), st.integers(1, 4000), st.lists(st.integers(1, 600), max_size=3))
def test_minorants_hold_where_ranks_idle(ranks, seqs, context, prompts):
    """Claim: fewer decodes than ranks leave the fullest with one, and no minorant exceeds the time, of experts too."""
    if not seqs and not prompts:
        return
    rank = Roofline(chip("h200-sxm"), model_config("deepseek-v3"), 8)
    attention = sum(p * p / 2 for p in prompts)
    batch = Batch(sum(prompts), attention, 0, seqs, seqs * context)
    group = Lockstep(rank, ranks)
    for m in group.affine_minorants():
        assert value(m, batch) <= group.iteration_s(batch) * (1 + 1e-12)
    if seqs:
        alone = Batch(num_seqs=seqs, kv_tokens=seqs * context)
        assert group.decode_curve(seqs)(seqs * context) == pytest.approx(group.iteration_s(alone), rel=1e-12)


@pytest.mark.parametrize("ranks", [0, 1.5, True, 5000])
def test_impossible_ranks_are_refused(ranks):
    """Claim: ranks are a whole number of at least one."""
    with pytest.raises(InputError, match=r"Lockstep.ranks = .*: must be a whole number"):
        Lockstep(AFFINE, ranks)


FILE = """
name = "a/b"
form = "lockstep"
kind = "measured"
source = "a test"
kv_capacity_tokens = 1000
max_num_seqs = 8

[coefficients]
ranks = 2
form = "affine"
coefficients = {base_s = 0.01, prompt_token_s = 1e-5, sequence_s = 1e-5, kv_token_s = 1e-7}

[power]
idle_w = 200
iteration_j = 1
prompt_token_j = 0
sequence_j = 0
kv_token_j = 0
most_w = 1000
"""


def test_hardware_files():
    """Claim: the file describes one rank and how many; its power law is the whole group's."""
    service = hardware_from_toml(FILE, "here").service
    assert service.ranks == 2
    assert service.service.base_s == 0.01
    assert service.power.idle_w == 200
    for old, new, message in (
        ("ranks = 2", "ranks = 0", r"Lockstep.ranks = 0"),
        ("ranks = 2\n", "", r"coefficients.ranks is missing"),
        ('form = "affine"', 'form = "afine"', r"unknown form 'afine': did you mean 'affine'"),
        ("base_s = 0.01, ", "", "base_s"),
    ):
        with pytest.raises(InputError, match=message):
            hardware_from_toml(FILE.replace(old, new), "here")
