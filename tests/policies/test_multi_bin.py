"""Multi-bin batching: who is batched with whom, and the throughput the paper computes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import edge_of_memory, seeds
from laws import assert_exact

from orsched import Fleet, Hardware, Policy, Workload, simulate
from orsched.errors import InputError
from orsched.policy import Information
from orsched.service import Affine
from policies import ROUTERS
from policies.multi_bin import StaticBatches, multi_bin
from policies.parts.bins import LengthBins

SECONDS = Hardware("seconds", Affine(1.0, 0.0, 0.0, 0.0), 10_000, 256)


def two_bins(batch_size, longest=(4, 9)):
    return Policy(
        "multi-bin",
        StaticBatches(batch_size, longest),
        information=Information.CLASS,
        num_classes=2,
        num_cohorts=1,
        classify=LengthBins((), (5,)),
    )


def test_batches_by_hand():
    """Claim: one second an iteration, bins below and from 5 outputs, batches of two. Requests 0 and 2 are formed at 0.2
    and take max(3, 2) = 3 s; 4 and 5 at 0.6 go next and take 4 s; then 1 and 3, formed at 1, take 9 s; 6 is left over
    and runs alone since nothing arrives any more."""
    arrivals = [0.0, 0.1, 0.2, 1.0, 0.5, 0.6, 2.0]
    outputs = [3, 9, 2, 7, 1, 4, 5]
    order = np.argsort(arrivals)
    run = simulate(
        Workload.of(np.array(arrivals)[order], np.ones(7, dtype=int), np.array(outputs)[order]),
        Fleet.identical(SECONDS),
        two_bins(2),
    )
    starts, ends = np.empty(7), np.empty(7)
    starts[order], ends[order] = run.first_scheduled_s, run.completion_s
    np.testing.assert_allclose(starts, [0.2, 7.2, 0.2, 7.2, 3.2, 3.2, 16.2])
    np.testing.assert_allclose(ends, [3.2, 16.2, 2.2, 14.2, 4.2, 7.2, 21.2])


def test_nobody_joins_a_batch():
    """Claim: with batches of one a second request of the bin waits until the first is done, whatever room there is."""
    run = simulate(Workload.of([0.0, 0.5], [1, 1], [4, 2]), Fleet.identical(SECONDS), two_bins(1))
    assert run.completion_s.tolist() == [4.0, 6.0]


def test_a_batch_is_cut_to_the_memory():
    """Claim: three requests of 4 + 4 - 1 = 7 tokens in a memory of 15: two go together, although the batch size is
    three, and the arrival of the third completes their batch."""
    small = Hardware("small", SECONDS.service, 15, 256)
    run = simulate(Workload.of([0.0, 0.25, 0.5], [4, 4, 4], [4, 4, 4]), Fleet.identical(small), two_bins(3))
    assert run.completion_s.tolist() == [4.5, 4.5, 8.5]
    assert run.preemptions.sum() == 0


def test_outputs_longer_than_known_are_served():
    """Claim: the longest outputs are known as 4 and 9 but are 12: the batch outgrows the memory, the last admitted is
    preempted and completes in a later batch."""
    small = Hardware("small", SECONDS.service, 30, 256)
    run = simulate(Workload.of([0.0, 0.0], [6, 6], [12, 12]), Fleet.identical(small), two_bins(2), check=True)
    assert run.preemptions.tolist() == [0, 1]
    assert np.isfinite(run.completion_s).all()


@pytest.mark.parametrize(("bins", "expected"), [(1, 6.447), (2, 8.434), (4, 9.970)])
def test_throughput_is_that_of_the_paper(bins, expected):
    """Claim: output lengths uniform, batches of 128 whose time is the longest member: B / E_k requests a unit of time
    with E_k = (lmin + lmax)/2 + (lmax - lmin)(B - 1)/(2 k (B + 1)) on [1, 20], saturated. Five standard errors: of the
    longest of a batch, of how many requests fall into each bin, and of the bins' edges."""
    rng = np.random.default_rng(bins)
    n, size, unit = 60_000, 128, 1000
    law = Workload.of(np.arange(n), np.ones(n), rng.integers(unit, 20 * unit, n, endpoint=True))
    work = Workload.of(np.zeros(n), np.ones(n), rng.integers(unit, 20 * unit, n, endpoint=True))
    fleet = Fleet.identical(Hardware("unit", Affine(1 / unit, 0.0, 0.0, 0.0), 10**8, 256))
    run = simulate(work, fleet, multi_bin(law, fleet, bins, size))
    starts, batch = np.unique(run.first_scheduled_s, return_inverse=True)
    ends = np.zeros(len(starts))
    np.maximum.at(ends, batch, run.completion_s)
    full = np.bincount(batch) == size
    assert full.sum() >= n // size - bins
    times = (ends - starts)[full]
    of_a_batch = 19 / bins / size / np.sqrt(len(times))
    of_the_bins = 2 * times.std() / np.sqrt(n) if bins > 1 else 0.0
    assert abs(times.mean() - size / expected) < 5 * (of_a_batch + of_the_bins) + 1 / unit


@settings(max_examples=80)
@given(st.integers(1, 6), seeds, st.sampled_from([1, 7, 16]), st.integers(1, 2))
def test_epochs_equal_single_iterations(size, seed, block, instances):
    """Claim: the exactness law holds where memory is just the longest request and lengths exceed what was known."""
    workload, edge = edge_of_memory(seed, block, 30, n=18)
    assert_exact(workload, Fleet.identical(edge, instances), two_bins(size).routed_by(ROUTERS["jsq"]))


def test_settings_and_bad_input():
    """Claim: results print bins, batch size and what was learnt; a bin without a longest output is refused."""
    work = Workload.of(np.arange(8), np.ones(8), [1, 2, 3, 4, 5, 6, 7, 8])
    policy = multi_bin(work, Fleet.identical(SECONDS), bins=2, batch_size=3)
    assert policy.settings["batch_size"] == 3
    assert policy.settings["longest_output_tokens"] == [4, 8]
    with pytest.raises(InputError, match="1 longest outputs for 2 bins"):
        simulate(work, Fleet.identical(SECONDS), two_bins(2, longest=(4,)))
