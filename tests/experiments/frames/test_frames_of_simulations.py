"""Frames of simulations have the numbers that ``--json`` of their commands prints."""

import json

import numpy as np
import pandas as pd
import pytest

import policies
from experiments import frames
from experiments.cli import main
from orsched.catalogue import hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.workloads.catalogue import workload_source

SMALL = ["--requests", "60", "--replications", "2", "--seed", "3"]
SAME = {"requests": 60, "replications": 2, "seed": 3}
TIMED = ("wall_s", "requests_per_wall_s", "seconds", "cpu_s")


@pytest.fixture
def printed(capsys):
    def run(*words):
        assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def facts(frame, document, *apart):
    """Claim: what is not in the rows is in the attributes, but for what is timed, and it is plain."""
    left = {key: value for key, value in document.items() if key not in (*apart, *TIMED)}
    assert {key: value for key, value in frame.attrs.items() if key not in TIMED} == left
    assert json.loads(json.dumps(frame.attrs, allow_nan=False)) == frame.attrs


def values(frame):
    """Rows as plain values, None for what is missing."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{key: value for key, value in row.items() if key not in TIMED} for row in rows]


def test_evaluate(printed):
    """Claim: metrics and gaps are the rows, in the same order and to the last bit."""
    document = printed("evaluate", "--policy", "sarathi", "--load", "0.7", *SMALL)
    frame = frames.evaluate("sarathi", load=0.7, **SAME)
    assert frame["metric"].tolist() == list(document["metrics"])
    for row in values(frame):
        metric = document["metrics"][row["metric"]]
        assert {key: row[key] for key in metric} == metric
        gap = document["gaps"].get(row["metric"])
        if gap is None:
            assert row["gap"] is row["bound"] is row["bound_certified"] is None
        else:
            names = ("gap", "gap_half_width", "bound", "bound_value", "bound_validity", "bound_certified")
            keys = ("mean", "half_width", "bound", "bound_value", "validity", "certified")
            assert [row[name] for name in names] == [gap[key] for key in keys]
    facts(frame, document, "metrics", "gaps")


def test_one_replication_has_no_interval():
    """Claim: half-widths are missing numbers then, not zero and not text."""
    frame = frames.evaluate("sarathi", requests=30, replications=1, load=0.5)
    assert frame["half_width"].dtype == "float64"
    assert frame["half_width"].isna().all()


def test_objects_stand_for_their_names():
    """Claim: a workload, an entry, a fleet, a policy and numbers mean what their names and texts mean."""
    settings = {**SAME, "load": 0.5, "stage_iterations": 64}
    named = frames.evaluate("wait", workload="reference", hardware="reference", thresholds="7,7", **settings)
    fleet = Fleet.identical(hardware("reference"))
    source = workload_source("reference")
    same = frames.evaluate("wait", workload=source, hardware=fleet, thresholds=np.array([7, 7]), **settings)
    pd.testing.assert_frame_equal(named, same, check_exact=True)
    own = policies.build("sarathi", source.whole().at_load(0.5, fleet), fleet)
    pd.testing.assert_frame_equal(
        frames.evaluate(own, workload=source, hardware=hardware("reference"), instances=2, load=0.5, **SAME),
        frames.evaluate("sarathi", workload="reference", hardware="reference", instances=2, load=0.5, **SAME),
        check_exact=True,
    )
    with pytest.raises(InputError, match="--instances 3"):
        frames.evaluate("sarathi", hardware=fleet, instances=3, **SAME)
    with pytest.raises(InputError, match="--thresholds is for policy 'wait'"):
        frames.evaluate("sarathi", thresholds=[4], **SAME)
    with pytest.raises(InputError, match="needs both"):
        frames.evaluate("sarathi", slo_ttft=1.0, **SAME)


def test_bound(printed):
    """Claim: bounds, policies and certificate are those of the command; without a policy there are no rows of any."""
    document = printed("bound", "--load", "0.7", "--policy", "sarathi,sjf", *SMALL)
    found = frames.bound(load=0.7, policy=["sarathi", "sjf"], **SAME)
    rows = [{key: value for key, value in row.items() if key != "unit"} for row in values(found.bounds)]
    assert rows == document["bounds"]
    assert set(found.bounds["unit"]) >= {"s"}
    facts(found.bounds, document, "bounds", "policies", "dual_certificate")
    assert json.loads(json.dumps(found.certificate)) == document["dual_certificate"]
    assert found.policies["policy"].tolist() == [row["policy"] for row in document["policies"]]
    for frame_row, row in zip(values(found.policies), document["policies"], strict=True):
        assert frame_row["latency_mean_s"] == row["metrics"]["latency_mean_s"]["mean"]
        assert frame_row["latency_mean_s_gap"] == row["gaps"]["latency_mean_s"]["mean"]
    assert "<table" in found._repr_html_()
    alone = frames.bound(load=0.7, **SAME)
    assert alone.policies.empty
    pd.testing.assert_frame_equal(alone.bounds, found.bounds, check_exact=True)


def test_gap_table(printed):
    """Claim: a row per policy and load with every mean and gap."""
    document = printed("gap-table", "--policy", "sarathi,sjf", "--load", "0.5,0.7", *SMALL)
    frame = frames.gap_table(["sarathi", "sjf"], load=[0.5, 0.7], **SAME)
    assert frame[["policy", "load"]].values.tolist() == [[row["policy"], row["load"]] for row in document["rows"]]
    for row, found in zip(document["rows"], values(frame), strict=True):
        for metric, estimate in row["metrics"].items():
            assert [found[metric], found[f"{metric}_half_width"]] == [estimate["mean"], estimate["half_width"]]
        for metric, gap in row["gaps"].items():
            assert [found[f"{metric}_gap"], found[f"{metric}_bound"]] == [gap["mean"], gap["bound"]]
    facts(frame, document, "rows")


def test_matrix_of_gaps(printed):
    """Claim: a matrix has the cells of the command's; a metric that needs an objective is refused."""
    words = ["gap-table", "--policy", "sarathi,sjf", "--load", "0.5,0.7", "--metric", "ttft_p99_s", *SMALL]
    document = printed(*words)
    frame = frames.gap_table("sarathi,sjf", load="0.5,0.7", metric="ttft_p99_s", **SAME)
    means = [cell["estimate"]["mean"] for row in document["rows"] for cell in row["cells"]]
    assert frame["mean"].tolist() == means
    with pytest.raises(InputError, match="needs an objective"):
        frames.gap_table(metric="goodput_requests_per_s")
    with pytest.raises(InputError, match="metric"):
        frames.gap_table(metric="latencey_mean_s")


def test_trajectory(printed):
    """Claim: both paths at all instants, their averages and the rates."""
    document = printed("trajectory", "--rates", "0:2,20:4", "--duration", "40", "--seed", "3")
    frame = frames.trajectory(rates=[(0, 2), (20, 4)], duration=40, seed=3)
    assert frame["t_s"].tolist() == document["times_s"]
    for path in ("fluid", "simulated"):
        for level, numbers in document[path].items():
            assert frame[f"{path}_{level}"].tolist() == numbers
    facts(frame, document, "times_s", "fluid", "simulated")
    for wrong in ([(0,)], [(0, 2, 3)], [3], [("a", 1)], 3):
        with pytest.raises(InputError, match=r"^rates = .*: must be a text, a sequence \(each 2 numbers\) or None$"):
            frames.trajectory(rates=wrong, duration=40)
    with pytest.raises(InputError, match="must be a start and a rate"):
        frames.trajectory(rates="0-2", duration=40)
    with pytest.raises(InputError, match="is for the workload's own arrivals"):
        frames.trajectory(rates="0:2", duration=40, load=0.5)


def test_hindsight(printed):
    """Claim: a row per instance, the summaries beside; only times differ."""
    document = printed("hindsight", "--instances", "2", "--time-limit", "0.2", "--method", "lagrangian", "--seed", "3")
    frame = frames.hindsight(instances=2, time_limit=0.2, method="lagrangian", seed=3)
    fixed = ["index", "requests", "memory_tokens", "mc_sf"]
    assert values(frame[fixed]) == [{key: row[key] for key in fixed} for row in document["rows"]]
    assert set(frame.columns) == set(document["rows"][0])
    assert set(frame.attrs) == set(document) - {"rows"}
    assert frame.attrs["published"] == document["published"]
    with pytest.raises(InputError, match="law"):
        frames.hindsight(law="bursts")


def test_heavy_traffic(printed):
    """Claim: means by scale and slopes of every metric and type; types may be objects, scales numbers."""
    from proofs_check.heavy_traffic import PromptType

    words = ["--scales", "1,2,4", "--replications", "3", "--horizon", "20", "--type", "1:1:1,1:2:3", "--kv", "60"]
    words += ["--thresholds", "slack"]
    document = printed("heavy-traffic", *words)
    types = [PromptType(1.0, 1, 1), "1:2:3"]
    found = frames.heavy_traffic(type=types, scales=(1, 2, 4), replications=3, horizon=20, kv=60, thresholds="slack")
    horizons = {row["scale"]: row["horizon_s"] for row in document["scales"]}
    for kind, numbers in document["types"].items():
        of_kind = found.means[found.means["type"] == kind]
        for metric, means in numbers["means"].items():
            rows = of_kind[of_kind["metric"] == metric]
            assert dict(zip(rows["scale"], rows["horizon_s"], strict=True)) == horizons
            assert values(rows[["mean", "half_width", "n"]]) == means
        for metric, slope in numbers["slopes"].items():
            (row,) = values(found.slopes[(found.slopes["type"] == kind) & (found.slopes["metric"] == metric)])
            assert [row["slope"], row["half_width"], row["n"]] == [slope["mean"], slope["half_width"], slope["n"]]
    facts(found.means, document, "scales", "types")
    assert found.values["replication"].nunique() == 3
    assert "<table" in found._repr_html_()


def test_check(printed):
    """Claim: a row per claim with verdict, slack and witness; unknown claims are refused."""
    document = printed("check", "kong-svf-volume-bound", "--quick", "--seed", "3", "--workers", "1")
    frame = frames.check("kong-svf-volume-bound", quick=True, seed=3, workers=1)
    wanted = [{key: value for key, value in row.items() if key not in TIMED} for row in document["claims"]]
    assert values(frame) == [{key: row[key] for key in values(frame)[0]} for row in wanted]
    assert set(frame.columns) == set(document["claims"][0])
    with pytest.raises(InputError):
        frames.check(["no-such-claim"])
