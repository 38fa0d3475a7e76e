"""Laws of every fleet: exactness, conservation, memory, determinism, whatever starts, stops, moves and breaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_fleets import assert_plausible, assert_same_fleet, random_case, wild_case

from orsched.fleet_log import PAID

seeds = st.integers(0, 10**6)
cases = st.one_of(seeds.map(random_case), seeds.map(wild_case))


@settings(max_examples=150, deadline=None)
@given(cases)
def test_epochs_equal_single_iterations(case):
    """Claim: hand-offs, staged migrations, deaths, slow links, scaling and requests that are kept give the same run
    with epochs of length one."""
    assert_same_fleet(case.run(), case.run(epoch_limit=1))


@settings(max_examples=100, deadline=None)
@given(cases)
def test_nothing_is_lost(case):
    """Claim: every request that is not rejected completes once with all its tokens, whatever happens to instances and
    links, and every gap between two tokens is accounted for; the books of memory and prompts balance at every
    arrival, and nobody is busy or full beyond what there is."""
    run = case.run(token_gaps=True, check=True)
    assert_plausible(run)
    done = run.rejected == 0
    if not run.restarts[~done].any():
        assert run.token_gaps.tokens == (run.output_tokens[done] - 1).sum()
        np.testing.assert_allclose(
            run.token_gaps.total_s, (run.completion_s - run.first_token_s)[done].sum(), rtol=1e-9
        )


@settings(max_examples=60, deadline=None)
@given(cases)
def test_the_log_agrees_with_the_columns(case):
    """Claim: migrations, restarts and rejections are counted in the log as in the requests' columns, every migration
    that starts ends or is given up (or its request's instance dies), and every instance is on for as long as its states
    say: switched on, started or drained between the first arrival and the end of the last request."""
    run = case.run()
    count = run.log.count
    assert count("migrated") == run.migrations.sum()
    assert count("restarted") == run.restarts.sum()
    assert count("rejected") == run.rejected.sum()
    left = count("migration-started") - count("migrated") - count("migration-given-up")
    assert 0 <= left <= run.restarts.sum() + count("died") * len(run)
    first, last = run.arrival_s[0], np.fmax(np.fmax.reduce(run.completion_s), run.arrival_s[-1])
    assert run.on_s.sum() == pytest.approx(run.log.instances_on().integral(first, last))
    on_s, since = np.zeros(case.fleet.size), np.full(case.fleet.size, first)
    states = list(run.log.initial_states)
    for instance, was, becomes in run.log.lives():
        if was.state is not becomes.state:
            now = min(max(becomes.time_s, first), last)
            on_s[instance] += (now - since[instance]) * (was.state in PAID)
            since[instance], states[instance] = now, becomes.state
    on_s += (last - since) * [state in PAID for state in states]
    np.testing.assert_allclose(run.on_s, on_s, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(cases)
def test_the_same_seed_gives_the_same_bytes(case):
    """Claim: a run is a function of its inputs."""
    one, other = case.run(sample_every_s=0.2), case.run(sample_every_s=0.2)
    assert one.completion_s.tobytes() == other.completion_s.tobytes()
    assert one.log.events == other.log.events
    assert one.log.samples.kv_tokens.tobytes() == other.log.samples.kv_tokens.tobytes()


@settings(max_examples=20, deadline=None)
@given(cases)
def test_sampling_changes_nothing(case):
    """Claim: looking at the fleet does not change what happens to it."""
    assert_same_fleet(case.run(), case.run(sample_every_s=0.03))


def test_the_wild_fleets_are_wild():
    """Claim: among the first 60 there are lone instances, migrations, starts, stops, roles and tiers that change,
    starts that fail, restarts, preemptions and rejections; so the laws above are about these."""
    runs = [wild_case(seed).run() for seed in range(60)]
    assert sum(len(run.busy_s) == 1 for run in runs) >= 5
    for kind in ("migrated", "ready", "off", "role", "tier", "start-failed", "died", "restarted", "rejected"):
        assert sum(run.log.count(kind) for run in runs) >= 5, kind
    assert sum(int(run.preemptions.sum()) for run in runs) >= 20
