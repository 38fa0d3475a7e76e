"""Frames of what commands read and write: experiments, fleets, calibrations, reproductions, the installation."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from profiles import iteration_table
from reproductions import POINTS, small, small_sweep

from experiments import frames, reproductions
from experiments.cli import main
from experiments.fleet.asked import asked_experiment
from experiments.listing.names import LISTS
from experiments.results.export import write_frame
from experiments.spec import ExperimentSpec, Precision
from experiments.spec.writing import spec_toml
from orsched.catalogue import hardware
from orsched.errors import InputError

SPEC = ExperimentSpec(
    workloads=["azure-conv"],
    fleets=["llama2-7b/a100-80g"],
    policies=["vllm-v1", "sarathi"],
    loads=[0.5],
    requests=40,
    replications=2,
)

FLEET = """
[[group]]
hardware = "reference"
size = 2
[workload]
name = "reference"
requests = 60
rate_per_s = 5
[[tier]]
name = "chat"
ttft_s = 2
tpot_s = 0.05
[[policy]]
name = "vllm-v1"
router = "jsq"
[[policy]]
name = "sarathi"
router = "round-robin"
[experiment]
replications = 2
"""


@pytest.fixture
def printed(capsys):
    def run(*words):
        assert main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished experiment, run by the call."""
    out = tmp_path_factory.mktemp("frames") / "results"
    return out, frames.run(SPEC, out, workers=1)


def plain(frame):
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def test_run_and_the_results_of_its_folder(folder, printed, tmp_path):
    """Claim: the call runs and returns the tidy table, and each results command has its frame."""
    out, frame = folder
    facts = {"folder": str(out), "unfinished": 0, "failed": 0, "damaged": []}
    assert frame.attrs == {**facts, "precision": None}
    assert frames.results_export(out).attrs == facts
    assert set(frame["policy"]) == {"vllm-v1", "sarathi"}
    assert main(["results", "export", str(out), "--csv", str(tmp_path / "theirs.csv")]) == 0
    write_frame(frames.results_export(out), tmp_path / "ours.csv")
    assert (tmp_path / "ours.csv").read_bytes() == (tmp_path / "theirs.csv").read_bytes()
    groups = printed("results", "list", out)["groups"]
    assert plain(frames.results_list(out)) == [{**group, "predictor": group["predictor"] or None} for group in groups]
    sql = "SELECT policy, count(*) AS n, avg(value) AS mean FROM results GROUP BY policy ORDER BY policy"
    assert plain(frames.results_query(out, sql)) == printed("results", "query", out, sql)["rows"]
    assert plain(frames.results_failures(out)) == printed("results", "failures", out)["failures"] == []
    assert frames.results_failures(out).columns.tolist()[:3] == ["task", "what", "error"]


def test_run_to_a_precision(printed, tmp_path):
    """Claim: it replicates as often as the command, and says as the command whether the precision was reached."""
    spec = tmp_path / "spec.toml"
    settings = {"workloads": ["reference"], "fleets": ["reference"], "policies": ["sarathi"], "loads": [0.3]}
    limits = Precision(relative=0.9, least=3, most=12)
    spec.write_text(spec_toml(ExperimentSpec(**settings, requests=60, precision=limits)))
    document = printed("run", spec, "--out", tmp_path / "theirs", "--precision", "0.5", "--workers", "1")
    frame = frames.run(spec, tmp_path / "ours", precision=0.5, workers=1)
    assert frame.attrs["precision"] == document["precision"]
    assert frame["replication"].nunique() == document["precision"]["replications"]
    pd.testing.assert_frame_equal(
        frame.drop(columns="task"), frames.results_export(tmp_path / "theirs").drop(columns="task"), check_exact=True
    )
    with pytest.raises(InputError, match="precision"):
        frames.run(spec, tmp_path / "none", precision=-1.0)


def test_the_tables_of_a_folder(folder, printed):
    """Claim: gap tables and matrices are those of the command; an unknown metric is refused."""
    out, _ = folder
    (table,) = printed("results", "table", out)["tables"]
    frame = frames.results_table(out)
    means = [row["metrics"]["latency_mean_s"]["mean"] for row in table["rows"]]
    assert frame["latency_mean_s"].tolist() == means
    assert frame.attrs["notices"] == table["notices"]
    (matrix,) = printed("results", "table", out, "--metric", "ttft_p99_s")["tables"]
    cells = [cell["estimate"]["mean"] for row in matrix["rows"] for cell in row["cells"]]
    shown = frames.results_table(out, metric="ttft_p99_s")
    assert shown["mean"].tolist() == cells
    assert shown.columns.tolist()[:3] == ["workload", "fleet", "predictor"]
    (about,) = shown.attrs["matrices"]
    assert about == {key: matrix[key] for key in about}
    assert {"title", "level"} <= set(about)
    assert json.loads(json.dumps(shown.attrs, allow_nan=False)) == shown.attrs
    with pytest.raises(InputError, match="metric"):
        frames.results_table(out, metric="ttft")


def test_compaction_and_the_report_of_a_folder(folder, tmp_path):
    """Claim: compaction counts what is finished; the report is written and listed with its size."""
    out, _ = folder
    compacted = frames.results_compact(out)
    assert compacted["finished"].tolist() == [frames.results_list(out)["finished"].sum()]
    assert compacted.attrs["notices"] == []
    written = frames.report(out, out=tmp_path / "page.html")
    assert written["file"].tolist() == [str(tmp_path / "page.html")]
    assert written["bytes"].tolist() == [(tmp_path / "page.html").stat().st_size]
    with pytest.raises(InputError, match="must end in"):
        frames.report(out, out=tmp_path / "page.txt")


def test_fleet(printed, tmp_path):
    """Claim: means by policy, tier and metric, differences and bounds are those of the command."""
    path = tmp_path / "mine.toml"
    path.write_text(FLEET)
    document = printed("fleet", "--spec", path, "--seed", "3")
    found = frames.fleet(path, seed=3)
    rows = {(row["policy"], row["tier"], row["metric"], row["versus"]): row for row in plain(found.metrics)}
    wanted = {}
    first = document["policies"][0]["policy"]
    for policy in document["policies"]:
        parts = {("", ""): policy["metrics"], ("", first): policy["differences"]}
        parts |= {(tier, ""): metrics for tier, metrics in policy["tiers"].items()}
        for (tier, versus), metrics in parts.items():
            wanted |= {(policy["policy"], tier, name, versus): found for name, found in metrics.items()}
    assert {key: {name: row[name] for name in wanted[key]} for key, row in rows.items()} == wanted
    assert found.policies["over_bound"].tolist() == [policy["over_bound"]["mean"] for policy in document["policies"]]
    said = {key for policy in document["policies"] for key in policy} - {"metrics", "tiers", "differences"}
    assert all(any(name.startswith(key) for name in found.policies) for key in said)
    assert plain(found.tiers) == document["tiers"]
    assert found.groups["size"].tolist() == [2]
    assert found.metrics.attrs["bound"] == document["bound"]
    assert found.metrics.attrs["rate_per_s"] == document["rate_per_s"]
    assert "<table" in found._repr_html_()


def test_a_fleet_experiment_that_is_built_already(tmp_path):
    """Claim: it gives the frames of its file; a seed beside it, or two specifications, are refused."""
    path = tmp_path / "mine.toml"
    path.write_text(FLEET)
    built = asked_experiment(path, None, None, None, None)
    pd.testing.assert_frame_equal(frames.fleet(built).metrics, frames.fleet(path).metrics, check_exact=True)
    with pytest.raises(InputError, match="has its own"):
        frames.fleet(built, seed=1)
    for wrong in ({}, {"spec": path, "name": "two-tiers"}):
        with pytest.raises(InputError, match="give one of"):
            frames.fleet(**wrong)
    with pytest.raises(InputError, match="no-such"):
        frames.fleet(name="no-such")


def test_calibrate(printed, tmp_path):
    """Claim: errors by regime and coefficients are those of the command; the file that is written is an entry."""
    path = tmp_path / "profile.csv"
    iteration_table().to_csv(path, index=False)
    document = printed("calibrate", path, "--kv-capacity-tokens", "300000")
    frame = frames.calibrate(path, kv_capacity_tokens=300_000, out=tmp_path / "mine.toml")
    rows = frame[frame["kind"] == "regime"].rename(columns={"name": "regime"})
    assert plain(rows[["regime", "points", "mape", "p95_ape"]]) == document["errors"]
    checks = frame[frame["kind"] == "cross-check"]
    assert checks["name"].tolist() == [check["against"] for check in document["cross_check"]]
    assert frame.attrs == {key: value for key, value in document.items() if key not in ("errors", "cross_check")}
    assert hardware(str(tmp_path / "mine.toml")).kv_capacity_tokens == 300_000
    with pytest.raises(InputError, match=r"ends in \.toml"):
        frames.calibrate([path], out=tmp_path / "mine.txt")


def test_calibrate_with_groups_left_out(printed, tmp_path):
    """Claim: a row per group and regime, with the errors and the bias of the command."""
    files = []
    for gpu in ("a100-80g", "h100-sxm"):
        files.append(tmp_path / f"{gpu}.csv")
        iteration_table(gpu=gpu, model="llama2-7b").to_csv(files[-1], index=False)
    both = tmp_path / "both.csv"
    pd.concat(map(pd.read_csv, files)).to_csv(both, index=False)
    document = printed("calibrate", both, "--leave-out", "gpu")
    frame = frames.calibrate(str(both), leave_out="gpu")
    wanted = [
        {"group": group["group"], "fitted_to_groups": group["fitted_to_groups"], "bias": group["bias"], **error}
        for group in document["groups"]
        for error in group["errors"]
    ]
    assert plain(frame) == wanted
    assert frame.attrs == {"left_out": "gpu"}


@pytest.fixture
def tiny(monkeypatch):
    """A reproduction of one rate under the name ``tiny``, beside the others."""
    sweep = replace(small_sweep(), points=POINTS[1:2])
    one = replace(small(), name="tiny", sweeps=lambda quick: (sweep,))
    monkeypatch.setattr(reproductions, "REPRODUCTIONS", {**reproductions.REPRODUCTIONS, "tiny": one})


def test_reproduce(printed, tiny, tmp_path, monkeypatch):
    """Claim: comparisons and cells are those of the command; without a folder nothing is written."""
    document = printed("reproduce", "tiny", "--out", tmp_path / "theirs", "--workers", "1")
    monkeypatch.chdir(tmp_path)
    found = frames.reproduce("tiny", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
    assert plain(found.comparisons) == document["comparisons"]
    (sweep,) = document["sweeps"]
    assert found.sweeps["name"].tolist() == [sweep["name"]]
    assert found.cells["load"].tolist() == [cell["load"] for cell in sweep["cells"]]
    means = [cell["latency_mean_s"] and cell["latency_mean_s"]["mean"] for cell in sweep["cells"]]
    assert [row["latency_mean_s_mean"] for row in plain(found.cells)] == means
    assert found.comparisons.attrs["seed"] == document["seed"] == 0
    with pytest.raises(InputError, match="reproduction"):
        frames.reproduce("tin")


def test_a_reproduction_with_a_folder_writes_the_page_of_the_command(tiny, tmp_path, capsys):
    """Claim: page and figures are the same files, and no cells are left behind."""
    frames.reproduce("tiny", out=tmp_path / "ours", workers=1)
    assert main(["reproduce", "tiny", "--out", str(tmp_path / "theirs"), "--workers", "1"]) == 0
    capsys.readouterr()
    theirs = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "ours").iterdir()} == theirs
    assert "tiny.md" in theirs


@pytest.mark.parametrize("kind", sorted(LISTS))
def test_listing(kind, printed):
    """Claim: every name with everything that ``list --json`` says about it."""
    rows = printed("list", kind)[kind]
    frame = frames.listing(kind)
    assert frame["name"].tolist() == [row["name"] for row in rows]
    assert set(frame.columns) == {key for row in rows for key in row}
    with pytest.raises(InputError, match="list"):
        frames.listing(f"{kind}s")


def test_doctor(capsys):
    """Claim: a row per finding, all of which the command prints."""
    code = main(["doctor"])
    text = capsys.readouterr().out
    frame = frames.doctor()
    assert frame.attrs["ok"] == (code == 0) == frame["ok"].all()
    for row in plain(frame):
        assert f"{'ok ' if row['ok'] else 'BAD'} {row['name']}: {row['detail']}" in text
