"""The path of the charts over time: requests that are turned away, and fleets of several kinds of hardware."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.paths.sample_path import sample_path
from experiments.report.charts.time_line import time_line_figure
from experiments.report.scene import Scene
from experiments.report.settings import settings_of
from orsched import Fleet, hardware
from orsched.engine.actions import REJECT
from orsched.fleet import Group
from orsched.workloads.catalogue import workload_source
from policies import ROUTERS, build


def watched(fleet, route):
    work = workload_source("p512d20").draw(80, np.random.default_rng(0)).at_rate(6.0)
    policy = replace(build("vllm-v1", work, fleet).routed_by(route), name="p")
    return sample_path(work, fleet, policy, 0)


def picky(view, request):
    return REJECT if request % 4 == 3 else ROUTERS["jsq"](view, request)


def test_requests_turned_away_are_never_in_the_system(findings):
    """Claim: the path ends, nobody is left in it, and the time line has a line for every request that was served."""
    path = watched(Fleet.identical(hardware("reference"), 2), picky)
    served = path.run.rejected == 0
    assert served.sum() == 60
    assert path.end_s == max(path.run.completion_s[served].max(), path.run.arrival_s.max())
    assert path.in_system_at(np.array([path.end_s])) == [0]
    assert path.waiting_at(np.array([path.end_s])) == [0]
    times_s = np.linspace(0, path.end_s, 500)
    some = [(path.run.arrival_s[served] <= t).sum() - (path.run.completion_s[served] <= t).sum() for t in times_s]
    assert path.in_system_at(times_s) == pytest.approx(some)
    (variant,) = time_line_figure(settings_of(findings)[0], Scene("t", {"p": path})).variants
    rows = variant.spec["datasets"]["rows"]
    assert len(rows) == 30
    assert json.dumps(rows, allow_nan=False)
    assert "30 of 40 requests served" in variant.words


def test_memory_of_a_mixed_fleet_is_counted_in_its_own_blocks():
    """Claim: each instance's memory is in tokens of its own blocks, and never above its capacity."""
    small = replace(hardware("llama2-7b/a100-80g"), name="other")
    fleet = Fleet((Group(hardware("reference"), 1), Group(small, 1)))
    path = watched(fleet, ROUTERS["jsq"])
    tokens = path.kv_tokens_at(np.linspace(0, path.end_s, 5_000))
    assert len(path.looks) == 2
    assert tokens.mean() == pytest.approx(path.run.kv_token_s.sum() / path.end_s, rel=0.2)
    assert tokens.max() <= path.run.kv_capacity_tokens.sum()
