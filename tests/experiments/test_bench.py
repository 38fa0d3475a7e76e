"""The benchmark: its numbers and its memory of previous runs."""

import json
from pathlib import Path

import pytest

from experiments.bench.engine import bench_engine
from experiments.bench.history import KEPT, History
from experiments.bench.memory import peak_mib
from experiments.bench.service import bench_service
from experiments.bench.yardstick import simpy_timeouts_per_s
from experiments.cli import main


def test_bench_prints_one_object_and_remembers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The numbers asked for are positive; the second run shows the first."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    command = ["bench", "engine", "--requests", "1000", "--json"]
    assert main(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["previous"] is None
    for key in ("single", "wait", "nested", "mc_sf", "fleet64"):
        assert first[f"{key}_requests_per_s"] > 0
        ratio = first["simpy_timeouts_per_s"] / first[f"{key}_requests_per_s"]
        assert first[f"{key}_timeouts_per_request"] == ratio
    assert main(command) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["previous"] == {key: value for key, value in first.items() if key != "previous"}
    assert main([*command[:-1], "--no-record"]) == 0
    assert "previous" in capsys.readouterr().out
    assert len(History.of_user("bench-engine").runs()) == 2


def test_history_survives_damage(tmp_path: Path):
    """Broken lines are passed over, the rest is kept, and the file does not grow without end."""
    history = History(tmp_path / "deep" / "h.jsonl")
    assert history.runs() == []
    for number in range(KEPT + 5):
        history.append({"requests": 10, "number": number})
    history.path.write_text(history.path.read_text() + '{"broken\n[1]\n')
    assert len(history.runs()) == KEPT
    assert history.last(10) == {"requests": 10, "number": KEPT + 4}
    assert history.last(11) is None


def test_yardstick_is_a_rate():
    """SimPy timeouts per second, the unit of the ratios."""
    assert simpy_timeouts_per_s(timeouts=2_000, repeats=1) > 1_000


@pytest.mark.slow
def test_iteration_times_are_cheap():
    """Claim: an affine or hinged iteration time costs at most 2 microseconds."""
    for entry in bench_service(5_000)["entries"]:
        if entry["form"] in ("affine", "hinged"):
            assert max(entry["mixed_us"], entry["decode_us"]) <= 2, entry


@pytest.mark.slow
def test_speed_targets():
    """A request costs at most 25 bare SimPy timeouts (WAIT and Nested WAIT 30, MC-SF 100), at most 50 with 64
    instances; time is linear."""
    found = bench_engine(100_000)
    assert found["single_timeouts_per_request"] <= 25
    assert found["wait_timeouts_per_request"] <= 30
    assert found["nested_timeouts_per_request"] <= 30
    assert found["mc_sf_timeouts_per_request"] <= 100
    assert found["fleet64_timeouts_per_request"] <= 50
    assert found["time_ratio_10x"] <= 11


@pytest.mark.slow
def test_a_million_requests_stay_under_a_gigabyte():
    """Peak resident memory of a process that simulates 1,000,000 requests."""
    assert peak_mib(1_000_000) < 1000
