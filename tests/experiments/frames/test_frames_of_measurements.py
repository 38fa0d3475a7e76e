"""Frames of validations and benchmarks have what ``--json`` of their commands prints."""

import json

import pandas as pd
import pytest

from experiments import frames
from experiments.cli import main
from experiments.validation.runs import bundled_runs
from orsched.catalogue import hardware
from orsched.errors import InputError


@pytest.fixture
def printed(capsys):
    def run(*words):
        assert main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    """Benchmarks are recorded in a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def plain(frame):
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


@pytest.fixture
def log_file(tmp_path):
    """The first 40 requests of a bundled run."""
    log = bundled_runs()[0].log()
    columns = ("input_tokens", "output_tokens", "queued_s", "first_token_s", "last_token_s")
    frame = pd.DataFrame({name: getattr(log, name) for name in columns}).head(40)
    frame.to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def test_a_replayed_log(log_file, printed):
    """Claim: statistics, verdicts, curves, settings and other assumptions are those of the command."""
    words = ["--hardware", "llama3.1-8b/rtx4090", "--max-num-seqs", 256, "--max-num-batched-tokens", 2048]
    document = printed("validate", "vllm-logs", "--log", log_file, *words, "--alternatives")
    entry = hardware("llama3.1-8b/rtx4090")
    server = {"max_num_seqs": 256, "max_num_batched_tokens": 2048}
    found = frames.validate_vllm_logs(log=log_file, hardware=entry, **server, alternatives=True)
    (run,) = document["runs"]
    (row,) = plain(found.runs)
    assert {key: row[key] for key in run["settings"]} == run["settings"]
    assert [row["run"], row["requests"], row["warnings"]] == [run["run"], run["requests"], run["warnings"]]
    for verdict in plain(found.verdicts):
        metric = run["metrics"][verdict["metric"]]
        names = ("error", "target", "met", "published_error", "mean_absolute_error_s", "correlation")
        assert {name: verdict[name] for name in names} == {name: metric[name] for name in names}
        assert verdict["error_low"] is None
        assert metric["error_interval"] is None
    for statistic in plain(found.metrics):
        numbers = run["metrics"][statistic["metric"]]["statistics"][statistic["statistic"]]
        assert {name: statistic[name] for name in numbers} == numbers
    running = found.curves[found.curves["quantity"] == "running"]
    assert running["t_s"].tolist() == run["curves"]["t_s"]
    assert running["simulated"].tolist() == run["curves"]["simulated"]["running"]
    others = {}
    for line in plain(found.assumptions):
        others.setdefault(line["assumption"], {})[line["metric"]] = line["error"]
    assert others == run["other_assumptions"]
    assert found.verdicts.attrs == {key: value for key, value in document.items() if key != "runs"}
    assert "<table" in found._repr_html_()


def test_the_bundled_runs(printed):
    """Claim: without a log the three bundled runs are replayed; options of a server are refused then."""
    document = printed("validate", "vllm-logs")
    found = frames.validate_vllm_logs()
    assert found.verdicts["error"].tolist() == [
        metric["error"] for run in document["runs"] for metric in run["metrics"].values()
    ]
    assert found.verdicts.attrs["targets_met"] == document["targets_met"]
    with pytest.raises(InputError, match="--block-size goes with --log"):
        frames.validate_vllm_logs(block_size=16)
    with pytest.raises(InputError, match="--log needs --max-num-seqs"):
        frames.validate_vllm_logs(log="mine.csv", hardware="reference")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("command", "call"), [("silicon", frames.validate_silicon), ("batch-times", frames.validate_batch_times)]
)
def test_predictions(command, call, printed):
    """Claim: errors by group, fitted shares and the number of points are those of the command."""
    document = printed("validate", command)
    found = call()
    assert plain(found.errors) == document["errors"]
    assert len(found.points) == document["points"] == found.errors.attrs["points"]
    shares = {}
    for row in plain(found.shares):
        fitted = {name: row[name] for name in ("compute", "memory", "overhead_s")}
        at_bound = row["at_bound"].split(", ") if row["at_bound"] else []
        shares.setdefault(row["left_out"], {})[row["group"]] = {**fitted, "at_bound": at_bound}
    assert shares == document["fitted_to_the_others"]
    facts = {key: value for key, value in document.items() if key not in ("errors", "fitted_to_the_others")}
    assert found.errors.attrs == facts


def test_bench_engine(printed, own_state):
    """Claim: the cases and facts of the command; the call finds the command's run before it, to the last bit."""
    document = printed("bench", "engine", "--requests", 1000)
    assert document.pop("previous") is None
    frame = frames.bench_engine(requests=1000, record=False)
    assert frame.attrs["previous"] == document
    names = {f"{case}_{name}" for case in frame["case"] for name in ("requests_per_s", "timeouts_per_request")}
    assert names | set(frame.attrs) - {"previous", "notices"} == set(document)
    assert (frame["requests_per_s"] * frame["timeouts_per_request"]).tolist() == pytest.approx(
        [frame.attrs["simpy_timeouts_per_s"]] * len(frame)
    )


def test_bench_service(printed):
    """Claim: a row per entry, with the keys of the command."""
    document = printed("bench", "service", "--requests", 1000)
    frame = frames.bench_service(requests=1000)
    assert frame[["name", "form"]].to_dict("records") == [
        {key: entry[key] for key in ("name", "form")} for entry in document["entries"]
    ]
    assert set(frame.columns) == set(document["entries"][0])
    assert set(frame.attrs) == set(document) - {"entries"}


def test_bench_fleet(printed):
    """Claim: a row per router and size, with the keys of the command; an unknown router is refused."""
    document = printed("bench", "fleet", "--requests", 1000, "--router", "jsq", "--instances", 2)
    frame = frames.bench_fleet(requests=1000, router="jsq", instances=2)
    assert frame[["router", "instances"]].to_dict("records") == [
        {key: case[key] for key in ("router", "instances")} for case in document["cases"]
    ]
    assert set(frame.columns) == set(document["cases"][0])
    assert set(frame.attrs) == set(document) - {"cases"}
    with pytest.raises(InputError, match="jqs"):
        frames.bench_fleet(requests=1000, router=["jqs"])


@pytest.mark.slow
def test_bench_bounds(printed, own_state):
    """Claim: a row per case, with the keys of the command, whose run the call finds before it."""
    document = printed("bench", "bounds", "--requests", 20, "--modes", 1000)
    del document["previous"]
    frame = frames.bench_bounds(requests=20, modes=1000)
    assert frame.attrs["previous"] == document
    assert frame[["name", "size", "counts"]].to_dict("records") == [
        {key: case[key] for key in ("name", "size", "counts")} for case in document["cases"]
    ]
    assert frame["met"].isna().all()


@pytest.mark.slow
def test_demo(tmp_path, capsys):
    """Claim: the call has the rows of the Parquet file that the command writes."""
    assert main(["demo", "--out", str(tmp_path), "--requests", "30", "--replications", "2"]) == 0
    capsys.readouterr()
    frame = frames.demo(requests=30, replications=2)
    theirs = pd.read_parquet(tmp_path / "gap_table.parquet")
    assert len(frame) == 6 * 4
    numbers = [name for name in frame if frame[name].dtype == "float64"]
    pd.testing.assert_frame_equal(frame[numbers], theirs[numbers], check_exact=True)
    assert frame["policy"].tolist() == theirs["policy"].tolist()
