"""Requests that no instance can hold."""

import pytest
from instances import REFERENCE

from orsched import Fleet, Group, Hardware, Workload
from orsched.errors import InputError
from orsched.fitting import drop_oversized, require_fit, usable_tokens
from orsched.service import Affine

WORKLOAD = Workload.of([0.0, 1.0, 2.0], [10, 40_000, 39_990], [5, 2, 11], name="mixed")


def test_the_first_request_that_cannot_fit_is_named():
    """Claim: prompt + output - 1 is what a request holds at its end; 40,000 fits exactly, 40,001 does not."""
    require_fit(Workload.of([0.0], [39_990], [11]), Fleet.identical(REFERENCE))
    with pytest.raises(InputError, match=r"request 1 of 'mixed' \(prompt 40000, output 2\) ends with 40001"):
        require_fit(WORKLOAD, Fleet.identical(REFERENCE))
    with pytest.raises(InputError, match="no policy completes it; drop such requests in the file or use hardware"):
        require_fit(WORKLOAD, Fleet.identical(REFERENCE), "drop such requests in the file")


def test_mixed_fleets_say_that_any_instance_may_have_to_hold_it():
    """Claim: where only the smallest kind cannot hold a request, it is not said that no policy completes it."""
    large = Hardware("large", Affine(1.0, 0.0, 0.0, 0.0), 50_000)
    fleet = Fleet((Group(REFERENCE), Group(large)))
    with pytest.raises(InputError, match=r"an instance of .* holds 40000: a request may end up on any instance; drop"):
        require_fit(WORKLOAD, fleet)


def test_dropping_keeps_the_others_and_says_how_many_went():
    """Claim: the rest is unchanged, arrival times included, and the notice counts."""
    kept = drop_oversized(WORKLOAD, Fleet.identical(REFERENCE))
    assert kept.arrival_s.tolist() == [0.0, 2.0]
    assert kept.notices == ("dropped 1 of 3 requests larger than the KV memory",)
    assert drop_oversized(kept, Fleet.identical(REFERENCE)) is kept


def test_a_workload_of_which_nothing_fits_is_refused():
    """Claim: dropping never leaves an empty workload."""
    with pytest.raises(InputError, match="no policy completes it"):
        drop_oversized(Workload.of([0.0], [50_000], [1]), Fleet.identical(REFERENCE))


def test_only_whole_blocks_count():
    """Claim: 100 tokens in blocks of 16 hold 96."""
    assert usable_tokens(Hardware("h", Affine(1.0, 0.0, 0.0, 0.0), 100, 4, 16)) == 96
