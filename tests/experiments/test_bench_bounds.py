"""The benchmark of the bounds: alone in their processes, beside their targets."""

import json
from pathlib import Path

import pytest

from experiments.bench.bounds import CASES, Case, bench_bounds
from experiments.bench.memory import Measured, alone, own_peak_mib, peak_mib
from experiments.cli import main
from orsched.errors import OrschedError

CASE = Case("x", "m:f", "requests", 100, 10.0)


def test_bench_prints_one_object_and_remembers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Every case has its size, times and memory; the second run shows the first, in numbers and in the table."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    command = ["bench", "bounds", "--requests", "300", "--modes", "1000"]
    assert main([*command, "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["previous"] is None
    assert [row["name"] for row in first["cases"]] == [case.name for case in CASES]
    for row in first["cases"]:
        assert row["size"] == first[row["counts"]]
        assert row["wall_s"] > 0
        assert row["peak_mib"] > 10
        assert row["simpy_timeouts"] == row["wall_s"] * first["simpy_timeouts_per_s"]
        assert row["met"] is None
    assert main(command) == 0
    text = capsys.readouterr().out
    assert all(case.name in text for case in CASES)
    assert f"{first['cases'][0]['wall_s']:.4g}" in text
    assert "no target at this size" in text


def test_a_target_is_for_one_size():
    """Met needs time and memory; at another size nothing is claimed."""
    quick, slow, fat = (Measured(s, s, mib) for s, mib in ((1.0, 9.0), (11.0, 9.0), (1.0, 3000.0)))
    assert [CASE.row(100, found, 1e6)["met"] for found in (quick, slow, fat)] == [True, False, False]
    small = CASE.row(50, slow, 1e6)
    assert (small["target_s"], small["target_peak_mib"], small["met"]) == (None, None, None)
    assert small["simpy_timeouts"] == 11e6


def test_memory_is_that_of_the_case_alone():
    """A parent that holds 300 MiB does not show in its child."""
    held = bytearray(300 * 1024 * 1024)
    held[::4096] = b"x" * len(held[::4096])
    assert own_peak_mib() > 300
    assert peak_mib(1_000) < 250


def test_a_case_that_fails_says_why():
    """The last line of the child's message reaches the user."""
    with pytest.raises(OrschedError, match=r"failed: .*no_such_case"):
        alone("experiments.bench.bounds:no_such_case", 10)


def test_more_modes_than_exist_are_refused(capsys: pytest.CaptureFixture[str]):
    """One line that says how many there are; nothing printed, nothing recorded."""
    assert main(["bench", "bounds", "--requests", "300", "--modes", "1000000", "--no-record", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ask for at most" in captured.err


@pytest.mark.slow
def test_targets():
    """Every bound meets its time and memory target at the size of the target."""
    found = bench_bounds()
    assert {row["name"]: row["met"] for row in found["cases"]} == {case.name: True for case in CASES}
