"""DistServe: prefill batches, pulls, and the choice of instances."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import assert_same
from random_fleets import random_faults, random_fleet

from orsched import Fleet, Group, Hardware, Link, Role, Workload, simulate
from orsched.errors import InputError
from orsched.service import Affine
from policies.distserve import DistServeSettings, Pull, distserve


def gpu(capacity, seqs=16, block=1):
    return Hardware("small", Affine(0.01, 1e-4, 1e-3, 0.0), capacity, seqs, block, kv_bytes_per_token=1000.0)


def apart(hardware, prefill=1, decode=1, link=None):
    link = link or Link()
    return Fleet((Group(hardware, prefill, "prefill", link=link), Group(hardware, decode, "decode", link=link)))


def serve(work, fleet, settings=None, **options):
    return simulate(work, fleet, distserve(work, fleet, settings or DistServeSettings()), check=True, **options)


def test_a_prefill_batch_stops_at_the_token_limit():
    """Claim: of prompts of 3000, 1000 and 200 tokens that wait, the first two share a batch of at most 4096."""
    work = Workload.of([0.0, 0.01, 0.02, 0.03], [1000, 3000, 1000, 200], [2, 2, 2, 2])
    run = serve(work, apart(gpu(20_000)))
    assert run.first_scheduled_s[1] == run.first_scheduled_s[2] == run.first_token_s[0]
    assert run.first_token_s[1] == run.first_token_s[2] == run.first_scheduled_s[3]


def test_a_prompt_beyond_the_limit_goes_alone():
    """Claim: it is served all the same, in a batch of its own."""
    work = Workload.of([0.0, 0.01, 0.02], [100, 5000, 100], [2, 2, 2])
    run = serve(work, apart(gpu(20_000)))
    assert run.first_scheduled_s[2] == run.first_token_s[1] > run.first_scheduled_s[1]


def test_finished_prompts_hold_their_memory_until_they_are_pulled():
    """Claim: a prompt that does not fit beside one that is being sent starts when that has been sent."""
    hardware = gpu(100)
    work = Workload.of([0.0, 0.001], [60, 60], [3, 3])
    run = serve(work, apart(hardware, link=Link(60_000.0)))
    assert run.first_scheduled_s[1] == pytest.approx(run.first_token_s[0] + 1.0)


def test_one_pull_at_a_time_when_it_fills_the_share():
    """Claim: with 5% of 400 blocks a pull of 30 blocks bars the next, which starts once the first decodes."""
    work = Workload.of([0.0, 0.0, 0.0], [30, 30, 30], [40, 40, 40])
    fleet = apart(gpu(400), link=Link(30_000.0))
    run = serve(work, fleet)
    wide = serve(work, fleet, DistServeSettings(waiting_block_prop_threshold=0.3))
    # All three at once share the links, so that all of them come after three seconds; one at a time the first comes
    # after one, the second after two.
    assert wide.completion_s == pytest.approx(wide.completion_s[0])
    assert np.diff(run.completion_s) == pytest.approx([1.0, 1.0], abs=0.1)


def test_the_fewest_requests_first_on_both_sides():
    """Claim: three prompts at once go to instances 0, 1, 0, and to decode where fewer are."""
    work = Workload.of([0.0, 0.0, 0.0], [50, 50, 50], [30, 30, 30])
    fleet = apart(gpu(1000), 2, 2)
    sent = []
    policy = distserve(work, fleet, DistServeSettings())

    def route(view, request):
        sent.append(policy.route(view, request))
        return sent[-1]

    run = simulate(work, fleet, replace(policy, route=route))
    assert sent == [0, 1, 0]
    assert sorted(run.instance.tolist()) in ([2, 2, 3], [2, 3, 3])


@given(st.integers(0, 10_000))
def test_exact_and_nothing_is_lost(seed):
    """Claim: everybody completes, memory never overflows, and epochs of length one give the same run."""
    work, fleet, settings, faults = random_case(seed)
    policy = distserve(work, fleet, settings)
    run = simulate(work, fleet, policy, faults=faults, check=True)
    assert np.isfinite(run.completion_s).all()
    assert_same(run, simulate(work, fleet, policy, faults=faults, epoch_limit=1))


@given(st.integers(0, 10_000))
def test_the_limit_of_pulls_is_never_exceeded(seed):
    """Claim: before every pull those that wait hold less than the share, and batch and memory have room for it."""
    work, fleet, settings, faults = random_case(seed)
    policy = distserve(work, fleet, settings)
    pull, pulled = policy.accept, []

    def accept(view, request):
        answer = pull(view, request)
        if answer:
            assert view.role is Role.DECODE
            assert view.inbound_blocks < settings.waiting_block_prop_threshold * view.capacity_blocks
            assert len(view.running) + view.num_inbound < settings.decoding_max_batch_size
            assert view.blocks_for(view.arriving_tokens(request)) <= view.free_blocks
            pulled.append(request)
        return answer

    run = simulate(work, fleet, replace(policy, accept=accept), faults=faults, check=True)
    if not faults:
        assert set(pulled) == set(np.flatnonzero(run.output_tokens > 1).tolist())


def random_case(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    arrivals = rng.exponential(rng.choice([0.01, 0.05]), n).cumsum()
    work = Workload.of(arrivals, rng.integers(1, 60, n), rng.integers(1, 60, n))
    fleet = random_fleet(rng, int((work.input_tokens + work.output_tokens).max()))
    fleet = Fleet(fleet.groups[:2], fleet.migration)
    limits = [int(rng.integers(1, 9)), int(rng.integers(10, 200)), int(rng.integers(1, 12))]
    faults = random_faults(rng, float(arrivals[-1]), fleet.size) if rng.integers(2) else ()
    return work, fleet, DistServeSettings(*limits, float(rng.choice([0.05, 0.3]))), faults


@pytest.mark.parametrize("roles", [("prefill",), ("mixed",), ("prefill", "decode", "mixed")])
def test_other_fleets_are_refused(roles):
    """Claim: it needs prefill and decode groups and no others."""
    fleet = Fleet(tuple(Group(gpu(100), 1, role) for role in roles))
    with pytest.raises(InputError, match="distserve needs prefill and decode groups and no others"):
        distserve(Workload.of([0.0], [1], [1]), fleet, DistServeSettings())


@pytest.mark.parametrize(
    ("field", "value"),
    [("context_max_batch_size", 0), ("decoding_max_batch_size", 1.5), ("waiting_block_prop_threshold", 0.0)],
)
def test_settings_name_the_field(field, value):
    """Claim: settings check themselves."""
    with pytest.raises(InputError, match=field):
        DistServeSettings(**{field: value})


def test_pull_is_a_value():
    """Claim: two pulls with the same limits are the same part."""
    assert Pull(3, 0.05) == Pull(3, 0.05)
