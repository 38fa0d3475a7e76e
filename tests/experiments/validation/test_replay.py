"""The pipeline itself: a log that our own simulator wrote is reproduced."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.validation.ahead import OneStepAhead
from experiments.validation.alternatives import alternatives
from experiments.validation.comparison import Comparison, compare
from experiments.validation.curves import MOST_POINTS, curves
from experiments.validation.replay import replay
from experiments.validation.request_log import read_request_log
from experiments.validation.settings import EngineSettings
from orsched.catalogue import hardware
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.service import Curve, Grid, Hinged, Lockstep, Tabulated
from orsched.workloads import Workload, workload

ENTRY = hardware("llama3.1-8b/rtx4090")
SERVERS = {
    "tight memory": EngineSettings(64, 1024, num_gpu_blocks=500),
    "few seats": EngineSettings(8, 512),
    "token granularity": EngineSettings(64, 1024, block_size=1, prefix_caching=False),
    "two ranks": EngineSettings(16, 512, num_gpu_blocks=600, data_parallel=2),
}


def written(path, settings, entry=ENTRY, requests=120):
    """Simulate a server and write its log, rows in any order."""
    head = workload("vllm-rtx4090-llama3.1-8b").head(requests)
    work = Workload.of(head.arrival_s, head.input_tokens, np.maximum(head.output_tokens // 4, 1))
    run = simulate(work, settings.fleet(entry), settings.policy())
    frame = pd.DataFrame(
        {
            "input_tokens": run.input_tokens,
            "output_tokens": run.output_tokens,
            "queued_s": run.arrival_s,
            "scheduled_s": run.first_scheduled_s,
            "first_token_s": run.first_token_s,
            "last_token_s": run.completion_s,
        }
    )
    frame.sample(frac=1, random_state=0).to_parquet(path, index=False)
    return run


@pytest.mark.parametrize("server", SERVERS)
def test_a_simulated_log_is_reproduced(server, tmp_path):
    """Claim: reading, replaying and comparing a log of the simulator itself gives errors below 1e-9 in everything."""
    settings = SERVERS[server]
    run = written(tmp_path / "log.parquet", settings)
    found = replay(read_request_log(tmp_path / "log.parquet"), ENTRY, settings)
    assert found.run.preemptions.sum() == run.preemptions.sum()
    assert run.preemptions.sum() > 0 or server != "tight memory"
    for comparison in compare(found):
        assert np.abs(comparison.simulated - comparison.measured).max() < 1e-9, comparison.metric
        assert abs(comparison.error) < 1e-9
        assert comparison.correlation == pytest.approx(1)
    assert curves(found, None).mean_absolute("in_system") == 0


def test_ranks_in_lockstep_are_one_instance(tmp_path):
    """Claim: with expert parallelism seats, budget and blocks of the ranks are pooled on an entry for all of them."""
    entry = replace(ENTRY, service=Lockstep(ENTRY.service, 2), kv_capacity_tokens=2 * ENTRY.kv_capacity_tokens)
    settings = EngineSettings(16, 512, num_gpu_blocks=301, data_parallel=2, expert_parallel=True)
    fleet = settings.fleet(entry)
    assert (fleet.size, fleet.hardware.max_num_seqs, fleet.hardware.kv_capacity_tokens) == (1, 32, 2 * 300 * 16)
    written(tmp_path / "log.parquet", settings, entry)
    found = replay(read_request_log(tmp_path / "log.parquet"), entry, settings)
    assert max(abs(comparison.error) for comparison in compare(found)) < 1e-9


def test_the_recorder_agrees_with_the_run():
    """Claim: running and waiting add up to those in the system, and seats and memory are never exceeded."""
    run = written_log(SERVERS["tight memory"])
    found = curves(run, None)
    simulated = found.simulated
    assert simulated["running"] + simulated["waiting"] == pytest.approx(simulated["in_system"])
    assert simulated["waiting"].min() >= 0
    assert simulated["running"].max() <= 64
    assert 0.9 < simulated["kv_share"].max() <= 1
    assert simulated["kv_share"][-1] == 0


def written_log(settings):
    """Replay of a measured log's lengths on a server with `settings`."""
    from experiments.validation.runs import bundled_runs

    return replay(bundled_runs()[0].log(), ENTRY, replace(settings, num_gpu_blocks=2588))


def test_leaving_the_calibrated_range_is_said():
    """Claim: a warning for each quantity that leaves it, and for none that does not."""
    log = written_log(SERVERS["few seats"]).log
    narrow = replace(ENTRY, valid_range={"num_seqs": (1, 3), "prompt_tokens": (1, 4096)})
    beyond = replay(log, narrow, SERVERS["few seats"]).beyond
    assert len(beyond) == 1
    assert beyond[0].startswith("num_seqs from 1 to 8: llama3.1-8b/rtx4090 was calibrated from 1 to 3")


def alone_on(entry, tmp_path, settings, output_tokens=2000):
    """Replay of one request of 100 prompt tokens on an idle server."""
    (tmp_path / "one.csv").write_text(
        f"input_tokens,output_tokens,queued_s,first_token_s,last_token_s\n100,{output_tokens},0,1,60\n"
    )
    return replay(read_request_log(tmp_path / "one.csv"), entry, settings)


def test_growth_between_decisions_is_seen(tmp_path):
    """Claim: the last of 1,999 decode iterations in one epoch reads 2,098 tokens, and that is what leaves the range."""
    narrow = replace(ENTRY, valid_range={"kv_tokens": (0, 1000)})
    found = alone_on(narrow, tmp_path, SERVERS["few seats"])
    assert found.recorder.reach["kv_tokens"] == (100, 100 + 1998)
    assert found.beyond == ("kv_tokens from 100 to 2,098: llama3.1-8b/rtx4090 was calibrated from 0 to 1,000 and "
        "extrapolates beyond",)  # fmt: skip


def test_idle_instances_share_the_memory(tmp_path):
    """Claim: one request on one of four ranks uses a quarter of the share of the KV memory that it uses alone."""
    one, four = (
        alone_on(ENTRY, tmp_path, EngineSettings(8, 512, num_gpu_blocks=600, data_parallel=ranks)) for ranks in (1, 4)
    )
    times_s = np.arange(1.0, 20.0)
    assert one.recorder.kv_share(times_s).max() > 0
    np.testing.assert_allclose(four.recorder.kv_share(times_s), one.recorder.kv_share(times_s) / 4)


def test_a_curve_has_so_many_points_at_most(tmp_path):
    """Claim: of two days without a report, points every 18 s up to the end; of a minute, one a second."""
    line = "input_tokens,output_tokens,queued_s,first_token_s,last_token_s\n100,20,0,1,{}\n"
    for last_s, step_s in ((172_800, 18), (60, 1)):
        (tmp_path / "two.csv").write_text(line.format(last_s))
        found = curves(replay(read_request_log(tmp_path / "two.csv"), ENTRY, SERVERS["few seats"]), None)
        assert len(found.t_s) <= MOST_POINTS
        assert np.diff(found.t_s) == pytest.approx(step_s)
        assert found.t_s[-1] >= last_s


def test_deciding_one_step_ahead_only_delays():
    """Claim: with room for all, nobody's first token comes earlier and each at most two iterations later."""
    log = written_log(SERVERS["few seats"]).log
    light = Workload.of(20 * log.queued_s, log.input_tokens, np.minimum(log.output_tokens, 20))
    settings = EngineSettings(64, 4096)
    policy = settings.policy()
    plain = simulate(light, settings.fleet(ENTRY), policy)
    ahead = simulate(light, settings.fleet(ENTRY), replace(policy, batch=OneStepAhead(policy.batch)))
    assert ahead.ttft_s.mean() > plain.ttft_s.mean()
    assert ahead.ttft_s.mean() < plain.ttft_s.mean() + 2 * plain.ttft_s.max()
    assert np.isfinite(ahead.completion_s).all()


def test_a_request_beyond_the_memory_is_refused():
    """Claim: it is named with its lengths, before anything runs."""
    with pytest.raises(InputError, match=r"request 0 of .* no policy completes it"):
        replay(written_log(SERVERS["few seats"]).log, ENTRY, EngineSettings(8, 512, num_gpu_blocks=100))


def test_a_skew_can_be_left_out():
    """Claim: an entry with a skew has one more alternative, alone or in lockstep, and that one is faster."""
    none = Grid(((1.0, 2.0), (1.0, 2.0)), ((0.0, 0.0), (0.0, 0.0)))
    decode = Grid(((1.0, 64.0), (1.0, 4096.0)), ((1e-4, 1e-3), (1e-3, 2e-2)))
    mixed = Grid(((1.0, 2.0), (1.0, 2.0), (1.0, 2.0)), (none.values, none.values))
    model = Tabulated(1e-2, Curve((0.0,), (0.0,)), Curve((0.0,), (0.0,)), none, decode, mixed, Curve((1.0,), (0.2,)))
    settings = EngineSettings(8, 512)
    log = written_log(settings).log
    for service, ranks in ((model, 1), (Lockstep(model, 2), 2)):
        entry = replace(ENTRY, service=service)
        ours = replace(settings, data_parallel=ranks, expert_parallel=ranks > 1)
        found = {other.name: other for other in alternatives(ours, entry)}
        without = found["contexts of a batch count as equal (no skew)"].errors(log)
        with_skew = {c.metric: c.error for c in compare(replay(log, entry, ours))}
        assert without["tpot"] < with_skew["tpot"]
        assert len(found) == (4 if ranks == 1 else 6)


def test_a_linear_skew_can_be_left_out_too():
    """Claim: a hinged entry with a skew has the alternative without; one without a skew does not."""
    for share, there in ((0.2, True), (0.0, False)):
        entry = replace(ENTRY, service=Hinged(0.01, 3e-5, 4e-5, 1e-7, kv_skew_share=share))
        found = {other.name: other for other in alternatives(EngineSettings(8, 512), entry)}
        assert ("contexts of a batch count as equal (no skew)" in found) == there
        if there:
            even = found["contexts of a batch count as equal (no skew)"].entry.service
            assert even.kv_skew(4) == 0


@pytest.mark.parametrize("requests", [200, 300])
def test_the_interval_covers_the_true_error(requests):
    """Claim: of independent lognormal times with a true error of 5%, about nine in ten of the 95% intervals hold it."""
    hits = 0
    for seed in range(120):
        draws = np.random.default_rng(seed)
        measured = draws.lognormal(0.0, 1.0, requests)
        simulated = 1.05 * measured * draws.lognormal(-0.045, 0.3, requests)  # of mean 1
        low, high = Comparison("latency", measured, simulated).interval
        assert low < high
        hits += low <= 0.05 <= high
    assert 0.84 * 120 <= hits <= 0.99 * 120


def test_too_few_requests_have_no_interval():
    """Claim: below ten blocks of 20 requests none is given, in place of one that is too short or has no width."""
    times = np.random.default_rng(0).lognormal(size=199)
    for n in (1, 20, 21, 60, 199):
        assert Comparison("latency", times[:n], 1.1 * times[:n]).interval is None
        assert Comparison("latency", times[:n], 1.1 * times[:n]).to_json()["error_interval"] is None


def test_statistics_by_hand():
    """Claim: the error, the mean absolute error and the percentiles are those of the definitions."""
    found = Comparison("tpot", np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.5, 3.0, 4.5]))
    assert found.error == pytest.approx(0.1)
    assert found.mean_absolute == pytest.approx(0.25)
    assert found.statistics["p50"] == (2.0, 2.5)
    assert found.interval is None
    assert not found.met
    assert Comparison("ttft", np.ones(3), np.ones(3)).correlation is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_num_seqs": 0},
        {"max_num_seqs": 600},
        {"max_num_batched_tokens": 0},
        {"num_gpu_blocks": 1},
        {"block_size": 0},
        {"data_parallel": 0},
        {"data_parallel": 1025},
    ],
)
def test_settings_that_no_engine_has_are_refused(wrong):
    """Claim: the message names the setting."""
    with pytest.raises(InputError, match=next(iter(wrong))):
        EngineSettings(**{"max_num_seqs": 8, "max_num_batched_tokens": 512, **wrong})
