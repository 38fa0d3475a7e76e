"""Laws of every fleet: exactness, conservation, memory, determinism, with transfers, migrations and faults."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import assert_same
from random_fleets import random_case

cases = st.integers(0, 10**6).map(random_case)


@settings(max_examples=100, deadline=None)
@given(cases)
def test_epochs_equal_single_iterations(case):
    """Claim: hand-offs, staged migrations, deaths and slow links give the same run with epochs of length one."""
    assert_same(case.run(), case.run(epoch_limit=1))


@settings(max_examples=60, deadline=None)
@given(cases)
def test_nothing_is_lost(case):
    """Claim: every request completes once with all its tokens, whatever happens to instances and links, and every gap
    between two tokens is accounted for; the books of memory and prompts balance at every arrival."""
    run = case.run(token_gaps=True, check=True)
    assert np.isfinite(run.completion_s).all()
    assert (run.first_token_s > run.arrival_s).all()
    assert not run.rejected.any()
    assert run.token_gaps.tokens == (run.output_tokens - 1).sum()
    np.testing.assert_allclose(run.token_gaps.total_s, (run.completion_s - run.first_token_s).sum(), rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(cases)
def test_the_log_agrees_with_the_columns(case):
    """Claim: migrations and restarts are counted in the log as in the requests' columns, every migration that starts
    ends or is given up (or its request's instance dies), and instances are on for as long as their states say."""
    run = case.run()
    count = {kind: run.log.count(kind) for kind in ("migration-started", "migrated", "migration-given-up", "restarted")}
    assert count["migrated"] == run.migrations.sum()
    assert count["restarted"] == run.restarts.sum()
    left = count["migration-started"] - count["migrated"] - count["migration-given-up"]
    assert 0 <= left <= run.restarts.sum() + run.log.count("died") * len(run)
    first, last = run.arrival_s[0], np.nanmax(run.completion_s)
    assert run.on_s.sum() == pytest.approx(run.log.instances_on().integral(first, last))


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
    assert_same(case.run(), case.run(sample_every_s=0.03))
