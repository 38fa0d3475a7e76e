"""Columns and attributes of frames do not depend on the data, and leave nothing out."""

import json

import numpy as np
import pandas as pd
import pytest

from experiments import frames
from experiments.cli import main
from orsched import Fleet, Group, hardware
from orsched.errors import InputError

REFERENCE = {"workload": "reference", "hardware": "reference", "requests": 40}
GPU = hardware("reference")


def numbers_are_float64(frame):
    """Whether every column of estimates has a place for what is missing."""
    parts = ("_s", "half_width", "_gap", "_bound_value", "mean")
    estimates = [name for name in frame.columns if name.endswith(parts)]
    assert estimates
    return all(frame[name].dtype == "float64" for name in estimates)


def plain(frame):
    return json.loads(json.dumps(frame.attrs, allow_nan=False)) == frame.attrs


def test_one_replication_has_the_columns_of_several():
    """Claim: half-widths are missing numbers, in tables, matrices, evaluations and bounds."""
    one, two = (frames.gap_table("sarathi", load=0.5, replications=n, **REFERENCE) for n in (1, 2))
    assert one.dtypes.equals(two.dtypes)
    assert numbers_are_float64(one)
    assert one["latency_mean_s_half_width"].isna().all()
    matrix = frames.gap_table("sarathi", load=0.5, replications=1, matrix=True, **REFERENCE)
    found = frames.bound(load=0.5, replications=1, policy="sarathi", **REFERENCE)
    evaluated = frames.evaluate("sarathi", load=0.5, replications=1, **REFERENCE)
    for frame in (matrix, found.bounds, found.policies, evaluated):
        assert numbers_are_float64(frame)
        assert plain(frame)


def test_bounds_without_a_policy_have_the_columns_of_policies():
    """Claim: an empty frame has the columns that do not depend on what was measured, of the same types."""
    alone = frames.bound(load=0.5, replications=1, **REFERENCE).policies
    table = frames.gap_table("sarathi", load=0.5, replications=2, **REFERENCE)
    assert alone.empty
    assert alone.columns.tolist() == table.columns.tolist()[: len(alone.columns)]
    assert {"policy", "load", "stable", "reason", "settings", "seed"} <= set(alone.columns)
    for name in ("load", "stable", "replications", "requests", "seed"):
        assert alone[name].dtype == table[name].dtype


def test_a_table_says_why_a_policy_did_not_run(capsys):
    """Claim: reason and settings are those of the command; a matrix says where nothing could be ranked."""
    words = ["--policy", "wait,sarathi", "--load", "2", "--requests", "40", "--replications", "2"]
    words += ["--workload", "reference", "--hardware", "reference", "--json"]
    assert main(["gap-table", *words]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    asked = {"load": 2, "replications": 2, **REFERENCE}
    frame = frames.gap_table("wait,sarathi", **asked)
    assert frame["reason"].tolist() == [row["stability"] for row in rows]
    assert frame["settings"].tolist() == [row["settings"] for row in rows]
    assert frame["reason"][0]
    assert frame["latency_mean_s"].isna().tolist() == [True, False]
    assert main(["gap-table", *words, "--matrix"]) == 0
    document = json.loads(capsys.readouterr().out)
    matrix = frames.gap_table("wait,sarathi", matrix=True, **asked)
    assert matrix["undecided"].tolist() == [column["undecided"] for _ in "ab" for column in document["columns"]]
    for fact in ("title", "level", "notes", "quantity"):
        assert matrix.attrs[fact] == document[fact]
    assert plain(matrix)


def test_numbers_of_one_path_of_a_fleet_are_numbers(tmp_path):
    """Claim: half-widths, and speeds of links that are not limited, are missing numbers."""
    path = tmp_path / "one.toml"
    path.write_text(
        '[[group]]\nhardware = "reference"\n[workload]\nname = "reference"\nrequests = 40\nrate_per_s = 1\n'
        '[[tier]]\nname = "chat"\nttft_s = 2\ntpot_s = 0.05\n[[policy]]\nname = "sarathi"\n'
    )
    found = frames.fleet(path, replications=np.int64(1), workers=1)
    assert numbers_are_float64(found.metrics)
    assert found.metrics["half_width"].isna().all()
    assert found.groups["link_bytes_per_s"].dtype == "float64"
    assert plain(found.metrics)


def test_numbers_of_numpy_are_numbers():
    """Claim: they give the same rows and plain attributes."""
    asked = {"requests": np.int64(40), "replications": np.int32(2), "seed": np.uint8(3), "load": np.float32(0.5)}
    source = {"workload": "reference", "hardware": "reference"}
    for call in (frames.evaluate, frames.gap_table):
        ours, theirs = (
            call("sarathi", **source, instances=instances, **given)
            for given, instances in ((asked, np.int64(2)), ({key: value.item() for key, value in asked.items()}, 2))
        )
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
        assert plain(ours)
    followed = frames.trajectory(**source, requests=np.int64(40), load=np.float64(0.5), window=np.array(5))
    assert plain(followed)
    assert plain(frames.hindsight(instances=np.int8(1), seed=np.int64(2), time_limit=np.float32(0.1)))
    scaled = frames.heavy_traffic(kv=np.int64(12), scales=np.array([1, 2]), replications=np.int64(2), horizon=20)
    assert plain(scaled.means)


UNLIKE = {
    "prefill": Fleet((Group(GPU, 1, "prefill"), Group(GPU, 1, "decode"))),
    "switched off": Fleet((Group(GPU, 2, off=1),)),
    "several kinds": Fleet((Group(GPU), Group(hardware("llama2-7b/a100-80g")))),
}


@pytest.mark.parametrize("cause", sorted(UNLIKE))
def test_a_trajectory_is_of_identical_instances(cause):
    """Claim: a fleet that the fluid does not describe is refused, whether its rates are given or not."""
    for rates in ({}, {"rates": "0:2", "duration": 20}):
        with pytest.raises(InputError, match=f"^fleet .* has no fluid path here: it has .*{cause}"):
            frames.trajectory(workload="reference", hardware=UNLIKE[cause], **rates)


def test_labels_tell_fleets_apart():
    """Claim: a fleet that is more than so many instances of an entry is named; others are hardware and a number."""
    asked = {"workload": "reference", "requests": 40}
    fleet = UNLIKE["prefill"]
    found = [
        frames.evaluate("vllm-v1", hardware=fleet, load=0.5, replications=1, **asked),
        frames.bound(hardware=fleet, load=0.5, replications=1, **asked).bounds,
    ]
    assert [frame.attrs["fleet"] for frame in found] == [fleet.name] * 2
    alike = Fleet((Group(GPU), Group(GPU)))
    assert frames.trajectory(hardware=alike, **asked).attrs["fleet"] == alike.name
    same = frames.trajectory(hardware=Fleet.identical(GPU, 2), **asked)
    assert "fleet" not in same.attrs
    assert same.attrs["instances"] == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bound", "--predictor", "nope"], "--predictor nope goes with --policy"),
        (["bound", "--policy", "nope,all"], "unknown policy 'nope'"),
        (["hindsight", "--seed", "-1"], "seed = -1: must be a whole number"),
        (["hindsight", "--time-limit", "nan"], "time_limit = nan: must be"),
    ],
)
def test_the_command_line_refuses_the_same(words, message, capsys):
    """Claim: one line, code 2, nothing on standard output."""
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
