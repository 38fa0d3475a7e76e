"""The SRPT family: its members, its limits and its shape."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluid.pathwise.latency import Choice, SrptFamily, job_sizes_s, kv_volume
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.work import RequestWork
from orsched.workloads import Workload
from tests.support.schedules import instances, random_schedule

few = st.lists(st.integers(1, 60), min_size=3, max_size=3).map(np.array)


@given(few, few, st.integers(1, 20))
def test_volume_in_blocks(inputs, outputs, block):
    counted = [
        sum(-(-(prompt + k) // block) * block for k in range(o))
        for prompt, o in zip(inputs.tolist(), outputs.tolist(), strict=True)
    ]
    assert kv_volume(inputs, outputs, block).tolist() == counted


@given(few, few)
def test_volume_without_blocks_is_the_requests_own(inputs, outputs):
    assert kv_volume(inputs, outputs, 1).tolist() == RequestWork.of(inputs, outputs).kv_volume.tolist()


@settings(max_examples=200)
@given(instances(), st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 1))
def test_every_member_is_valid(instance, seed, share, split):
    """Not only the best member: each minorant, share and split bounds each schedule."""
    workload, fleet = instance
    family = SrptFamily.of(workload, fleet)
    _, done = random_schedule(workload, fleet, seed)
    total = float(np.sum(done - workload.arrival_s))
    for m in family.mixtures:
        choice = Choice(m, share, split)
        bound = float(family.flow_sum_s(choice)) + family.tail_sum_s(split)
        assert bound <= total * (1 + 1e-9)


def test_volume_bound_of_unit_rounds():
    """With unit rounds and memory only, it is the published bound: (1/M) times prefix sums of sorted volumes."""
    inputs, outputs = np.array([3, 1, 2, 5]), np.array([4, 2, 6, 1])
    work = Workload.of(np.zeros(4), inputs, outputs)
    fleet = Fleet.identical(Hardware("unit rounds", Affine(1.0, 0, 0, 0), 20, 100))
    family = SrptFamily.of(work, fleet)
    volumes = np.sort(RequestWork.of(inputs, outputs).kv_volume)
    bound = float(family.flow_sum_s(Choice(family.mixtures[0], 0.0, 1.0)))
    assert bound == pytest.approx(np.sum(np.cumsum(volumes)) / 20)


@given(instances(), st.floats(0, 1), st.floats(0, 1))
def test_monotone_in_memory_batch_size_and_speed(instance, share, split):
    workload, fleet = instance
    hw = fleet.hardware

    def value(fleet):
        family = SrptFamily.of(workload, fleet)
        return max(family.flow_sum_s(Choice(m, share, split)) for m in family.mixtures)

    tick = Fraction(1, 10**9)
    base = value(fleet)
    more = hw.kv_capacity_tokens + hw.block_tokens
    assert value(Fleet.identical(replace(hw, kv_capacity_tokens=more), fleet.size)) <= base + tick
    assert value(Fleet.identical(replace(hw, max_num_seqs=hw.max_num_seqs + 1), fleet.size)) <= base + tick
    assert value(Fleet.identical(hw, fleet.size + 1)) <= base + tick


def test_shares_of_the_base_add_up_to_at_most_one():
    """A full batch that fills the memory is handed exactly the base, for every share."""
    hw = Hardware("gpu", Affine(1.0, 0.0, 0.0, 0.0), 12, 3)
    for a in (0.0, 0.3, 1.0):
        choice = Choice(hw.service.affine_minorants()[0], a, 0.0)
        sizes = job_sizes_s(choice, np.array([4, 4, 4]), np.array([1, 1, 1]), hw)
        assert sizes.sum() == pytest.approx(1.0, rel=1e-11)
        assert sizes.sum() <= 1.0


def test_the_sample_of_a_long_path_only_chooses():
    """Beyond 4,000 requests the choice comes from a stretch, the value from all of them."""
    rng = np.random.default_rng(0)
    n = 9000
    work = Workload.of(np.cumsum(rng.exponential(0.02, n)), rng.integers(1, 500, n), rng.integers(1, 200, n))
    family = SrptFamily.of(work, Fleet.identical(Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 1e-7), 50_000, 64)))
    value, choice = family.mean_first_token()
    assert value == float(family.flow_sum_s(choice) / n)
    assert choice.split == 0
