"""The demo, as a newcomer runs it."""

import subprocess
import sysconfig
import time
from pathlib import Path

import pandas as pd
import pytest

from experiments.cli import main
from experiments.cli.options import POLICIES

FILES = ["gap_table.md", "gap_table.parquet", "gap_table.png", "gap_table.tex"]


def test_demo_writes_its_four_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Six policies at four loads; it says where the files are and leaves no other."""
    out = tmp_path / "results"
    command = ["demo", "--out", str(out), "--requests", "60", "--replications", "2", "--workers", "1"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == FILES
    for name in FILES:
        assert str(out / name) in text.replace("\n", "")
    frame = pd.read_parquet(out / "gap_table.parquet")
    assert sorted(frame["load"].unique()) == [0.5, 0.7, 0.9, 0.97]
    assert set(frame["policy"]) == set(POLICIES)
    assert (frame["latency_mean_s_gap"].dropna() >= -1e-9).all()
    assert frame["latency_mean_s_half_width"].notna().sum() >= 20
    assert (out / "gap_table.png").read_bytes().startswith(b"\x89PNG")


def test_demo_refuses_a_file_as_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It says so before it simulates anything, and leaves the file alone."""
    blocked = tmp_path / "file"
    blocked.write_text("mine")
    assert main(["demo", "--out", str(blocked)]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    assert blocked.read_text() == "mine"


@pytest.mark.slow
def test_demo_takes_less_than_a_minute(tmp_path: Path):
    """The whole demo with its defaults, in a process of its own."""
    script = Path(sysconfig.get_path("scripts")) / "orsched"
    start = time.perf_counter()
    subprocess.run([script, "demo"], cwd=tmp_path, check=True, capture_output=True)
    assert time.perf_counter() - start < 60
    assert sorted(path.name for path in (tmp_path / "orsched-demo").iterdir()) == FILES
