"""``orsched heavy-traffic`` as a user types it."""

import json

import pandas as pd
import pytest

from experiments.cli import main
from proofs_check.heavy_traffic import METRICS

SMALL = ["heavy-traffic", "--scales", "1,2,4", "--replications", "3", "--horizon", "20"]


def test_the_command_prints_one_line_per_scale_and_the_slopes(capsys, tmp_path):
    """Claim: the table has the scales and the slopes, and a figure or a tidy file is written."""
    for name in ("study.csv", "study.parquet", "study.svg"):
        assert main([*SMALL, "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 0
    lines = capsys.readouterr().out.splitlines()
    assert "thresholds 4: 4:1:1" in lines[0]
    firsts = [line.split()[0] for line in lines if line.strip()]
    assert firsts[2:6] == ["1", "2", "4", "slope"]
    assert set(pd.read_csv(tmp_path / "study.csv")["metric"]) == set(METRICS)


def test_the_command_prints_one_json_object(capsys):
    """Claim: means by scale for every metric and type, slopes with half-widths; thresholds with slack on request."""
    assert main([*SMALL, "--type", "1:1:1,1:2:3", "--kv", "60", "--thresholds", "slack", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["slack"] > 0
    assert set(found["types"]) == {"all", "0", "1"}
    assert len(found["types"]["1"]["means"]["latency_mean"]) == len(found["scales"]) == 3
    assert found["types"]["all"]["slopes"]["throughput_gap"]["half_width"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--type", "4:1"], "must be rate (1/s), prompt tokens and decode steps"),
        (["--thresholds", "3"], "violate Delta^pi <= n_j / lambda_j"),
        (["--thresholds", "4", "--policy", "orca"], "--thresholds goes with --policy wait"),
        (["--scales", "4"], "--scales needs at least two"),
        (["--out", "study.txt"], "must end in one of .csv"),
        (["--d0", "0"], "must take time"),
    ],
)
def test_bad_options_are_refused(options, message, capsys):
    """Claim: exit code 2 and one line that says what is allowed."""
    assert main([*SMALL, *options]) == 2
    assert message in capsys.readouterr().err
