"""Numbers of numpy are numbers: no bound depends on who made them."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from schedules import instances

from fluid import bounds
from orsched import Fleet, Group
from orsched.service import Affine


@settings(max_examples=40, deadline=None)
@given(instances(most=8, longest=20, sizes=(1, 2, 3, 7)), st.sampled_from([np.int64, np.int32, np.uint8]))
def test_bounds_do_not_depend_on_the_kind_of_integer(case, kind):
    """Claim: a fleet whose size and limits are integers of numpy has the very bounds of the same fleet."""
    work, fleet = case
    hw = fleet.hardware
    limits = {"kv_capacity_tokens": np.int64(hw.kv_capacity_tokens), "max_num_seqs": np.int64(hw.max_num_seqs)}
    same = Fleet((Group(replace(hw, **limits), kind(fleet.size)),))
    found = [(bound.name, bound.metric, bound.value) for bound in bounds(work, same)]
    assert found == [(bound.name, bound.metric, bound.value) for bound in bounds(work, fleet)]


def test_numbers_are_stored_as_python_has_them():
    """Claim: constructors keep plain numbers, so that exact arithmetic neither overflows nor loses digits."""
    model = Affine(*map(np.float32, (0.01, 1e-4, 1e-3, 1e-6)))
    assert not any(isinstance(getattr(model, field.name), np.generic) for field in fields(model))
    assert model.base_s == float(np.float32(0.01))
