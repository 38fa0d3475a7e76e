"""The overhead of an iteration comes back from end-to-end measurements of a server that has one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from profiles import DEVICE, write

from experiments.calibration.points import calibrated_overhead, overhead_of_points, silicon_points
from experiments.calibration.request import Wanted
from experiments.validation.settings import EngineSettings
from experiments.validation.silicon_load import ClosedLoop
from experiments.validation.silicon_steady_state import steady_state
from orsched import Hardware, Workload, simulate
from orsched.devices import model_config
from orsched.errors import InputError

TRUE_S = 0.002
WANTED = Wanted("h200", "llama3-8b", 1, model_config("llama3-8b"))
ENTRY = Hardware("model/device", DEVICE, kv_capacity_tokens=200_000, max_num_seqs=64, block_tokens=16)
SLOWER = replace(ENTRY, service=replace(DEVICE, base_s=DEVICE.base_s + TRUE_S))
SETTINGS = EngineSettings(64, 2048)


def test_request_log(tmp_path: Path) -> None:
    """Claim: a log of a simulated server with an overhead gives that overhead back."""
    rng = np.random.default_rng(1)
    n = 120
    work = Workload.of(rng.exponential(0.2, n).cumsum(), rng.integers(50, 1500, n), rng.integers(20, 200, n))
    run = simulate(work, SETTINGS.fleet(SLOWER), SETTINGS.policy())
    first = run.arrival_s + run.ttft_s
    log = pd.DataFrame(
        {
            "input_tokens": work.input_tokens,
            "output_tokens": work.output_tokens,
            "queued_s": run.arrival_s,
            "first_token_s": first,
            "last_token_s": run.arrival_s + run.latency_s,
        }
    )
    found, what = calibrated_overhead(write(log, tmp_path / "log.csv"), ENTRY, WANTED, SETTINGS)
    assert found.overhead_s == pytest.approx(TRUE_S, rel=0.02)
    assert abs(found.after["tpot"]) < 1e-3 < -found.before["tpot"]
    assert "120 requests" in what


def _points() -> pd.DataFrame:
    rows = []
    for users in (1, 8, 32):
        times = steady_state(ClosedLoop(users, 1024.0, 256.0, 2048), SLOWER.service)
        rows.append(("h200_sxm", "meta-llama/Llama-3-8B", 1, 1024, 256, users, *times))
    columns = ["gpu", "model", "tensor_parallel", "input_tokens", "output_tokens", "concurrency", "ttft_s", "tpot_s"]
    return pd.DataFrame(rows, columns=columns)


def test_points_at_a_concurrency(tmp_path: Path) -> None:
    """Claim: so do TTFT and TPOT at given concurrency."""
    found = overhead_of_points(silicon_points(_points(), WANTED, "points"), ENTRY, 2048)
    assert found.overhead_s == pytest.approx(TRUE_S, rel=0.01)
    same, _ = calibrated_overhead(write(_points(), tmp_path / "points.csv"), ENTRY, WANTED, SETTINGS)
    assert same.overhead_s == found.overhead_s


def test_points_of_others_are_refused() -> None:
    """Claim: points of another GPU, without a column or with impossible times are refused."""
    points = _points()
    for spoilt, message in (
        (points.assign(gpu="b200"), "no point of"),
        (points.drop(columns="tpot_s"), "no column tpot_s"),
        (points.assign(tpot_s=[0.01, -1.0, 0.02]), "above zero"),
    ):
        with pytest.raises(InputError, match=message):
            silicon_points(spoilt, WANTED, "points")


def test_logs_and_points_of_something_else(tmp_path: Path) -> None:
    """Claim: a log that names another GPU or model and points of another precision are refused."""
    log = pd.DataFrame({"input_tokens": [1], "gpu": ["h200"], "model": ["Llama-2-7b"]})
    for table, message in ((log, "a log of model"), (log.assign(gpu="a100"), "a log of gpu")):
        with pytest.raises(InputError, match=message):
            calibrated_overhead(write(table, tmp_path / "log.csv"), ENTRY, WANTED, SETTINGS)
    with pytest.raises(InputError, match="points in fp8"):
        silicon_points(_points().assign(precision="fp8"), WANTED, "points")
    mixed = _points().assign(precision=["fp8", "bf16", "bf16"])
    assert len(silicon_points(mixed, WANTED, "points")) == 2
