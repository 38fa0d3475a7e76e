"""``orsched validate vllm-logs`` as typed."""

import json

import pandas as pd
import pytest

from experiments.cli import main
from experiments.validation.runs import bundled_runs

SERVER = ["--hardware", "llama3.1-8b/rtx4090", "--max-num-seqs", "256", "--max-num-batched-tokens", "2048"]


@pytest.fixture
def log_file(tmp_path):
    """The first 40 requests of a bundled run."""
    log = bundled_runs()[0].log()
    columns = ("input_tokens", "output_tokens", "queued_s", "first_token_s", "last_token_s")
    frame = pd.DataFrame({name: getattr(log, name) for name in columns}).head(40)
    frame.to_csv(tmp_path / "mine.csv", index=False)
    return str(tmp_path / "mine.csv")


def validate(capsys, *arguments):
    """Run it in this process: exit code, standard output, standard error."""
    code = main(["validate", "vllm-logs", *arguments])
    return (code, *capsys.readouterr())


def test_any_log_is_one_json_object(log_file, capsys):
    """Claim: one object with settings, metrics, curves and warnings; twice the same bytes."""
    arguments = ["--log", log_file, *SERVER, "--num-gpu-blocks", "2588", "--block-size", "16", "--json"]
    code, out, _ = validate(capsys, *arguments)
    assert code == 0
    assert validate(capsys, *arguments)[1] == out
    (run,) = json.loads(out)["runs"]
    assert (run["run"], run["requests"], run["hardware"]) == ("mine", 40, "llama3.1-8b/rtx4090")
    assert run["settings"]["num_gpu_blocks"] == 2588
    assert set(run["metrics"]) == {"ttft", "tpot", "latency"}
    for metric in run["metrics"].values():
        assert set(metric["statistics"]) == {"mean", "p50", "p90", "p99"}
        mean = metric["statistics"]["mean"]
        assert metric["error"] == mean["error"] == pytest.approx(mean["simulated_s"] / mean["measured_s"] - 1)
        assert metric["met"] == (abs(metric["error"]) <= metric["target"])
        assert metric["published_error"] is None
    found = run["curves"]
    assert set(found["measured"]) == {"in_system"}
    assert {len(found["t_s"]), *map(len, found["simulated"].values())} == {len(found["t_s"])}


def test_files_hold_the_same_numbers(log_file, tmp_path, capsys):
    """Claim: --out writes the tables and the figure, --plot the figure where it is asked for."""
    out, plot = tmp_path / "new" / "folder", tmp_path / "curves.svg"
    arguments = ["--log", log_file, *SERVER, "--out", str(out), "--plot", str(plot), "--json"]
    code, printed, err = validate(capsys, *arguments)
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == ["curves.csv", "curves.png", "metrics.csv"]
    assert plot.stat().st_size > 1000
    assert err.count("wrote ") == 4
    table = pd.read_csv(out / "metrics.csv").set_index(["metric", "statistic"])
    statistics = json.loads(printed)["runs"][0]["metrics"]["tpot"]["statistics"]
    assert table.loc[("tpot", "p99"), "simulated_s"] == pytest.approx(statistics["p99"]["simulated_s"], rel=1e-12)


def test_a_toml_file_is_hardware_and_its_range_is_minded(log_file, tmp_path, capsys):
    """Claim: a path works like a name, and batches beyond its range give a warning in words and in the JSON."""
    path = tmp_path / "mine.toml"
    path.write_text(
        """
name = "my/gpu"
form = "affine"
kind = "hypothetical"
source = "made up"
kv_capacity_tokens = 100_000
max_num_seqs = 4

[coefficients]
base_s = 0.01
prompt_token_s = 5e-5
sequence_s = 1e-4
kv_token_s = 2e-7

[range]
num_seqs = [1, 16]
""",
        encoding="utf-8",
    )
    arguments = ["--log", log_file, "--hardware", str(path), *SERVER[2:], "--json"]
    code, out, err = validate(capsys, *arguments)
    assert code == 0
    (warning,) = json.loads(out)["runs"][0]["warnings"]
    assert "num_seqs" in warning
    assert "calibrated from 1 to 16" in warning
    assert warning in err


def test_other_assumptions_are_replayed_too(log_file, capsys):
    """Claim: --alternatives adds the errors of each other reading of the engine."""
    code, out, _ = validate(capsys, "--log", log_file, *SERVER, "--alternatives", "--json")
    others = json.loads(out)["runs"][0]["other_assumptions"]
    assert code == 0
    assert len(others) >= 3
    assert all(set(errors) == {"ttft", "tpot", "latency"} for errors in others.values())


def test_milliseconds_are_doubted(log_file, tmp_path, capsys):
    """Claim: a log in milliseconds gives a warning for each metric, on standard error and in the JSON; in s, none."""
    frame = pd.read_csv(log_file)
    times = [name for name in frame if name.endswith("_s")]
    frame[times] = 1000 * frame[times]
    frame.to_csv(tmp_path / "ms.csv", index=False)
    for path, doubts in ((log_file, 0), (str(tmp_path / "ms.csv"), 3)):
        code, out, err = validate(capsys, "--log", path, *SERVER, "--num-gpu-blocks", "2588", "--json")
        assert code == 0
        warnings = [warning for warning in json.loads(out)["runs"][0]["warnings"] if "is the log in seconds" in warning]
        assert len(warnings) == doubts
        assert all(warning in " ".join(err.split()) for warning in warnings)


@pytest.mark.parametrize(
    ("row", "missing"), [("100,1,0,0.5,0.5", "tpot"), ("100,3,0,0,1", "ttft")], ids=["one token", "no time"]
)
def test_metrics_do_not_vanish(row, missing, tmp_path, capsys):
    """Claim: what no request has, or was measured as 0, is null in the JSON, and a warning says so."""
    path = tmp_path / "log.csv"
    path.write_text(f"input_tokens,output_tokens,queued_s,first_token_s,last_token_s\n{row}\n", encoding="utf-8")
    code, out, err = validate(capsys, "--log", str(path), *SERVER, "--json")
    assert code == 0
    (run,) = json.loads(out)["runs"]
    assert {name for name, metric in run["metrics"].items() if metric is None} == {missing}
    assert list(run["metrics"]) == ["ttft", "tpot", "latency"]
    assert any(warning.startswith(f"{missing} is not compared") for warning in run["warnings"])
    assert f"{missing} is not compared" in err


LOG = ["--log", "LOG"]
BAD = {
    "no hardware": ([*LOG, *SERVER[2:]], "--log needs --hardware"),
    "no seats": ([*LOG, *SERVER[:2], *SERVER[4:]], "--log needs --max-num-seqs"),
    "no budget": ([*LOG, *SERVER[:4]], "--log needs --max-num-batched-tokens"),
    "seats beyond the budget": ([*LOG, *SERVER[:2], "--max-num-seqs", "64", "--max-num-batched-tokens", "32"], "64"),
    "hardware of a bundled run": (["--hardware", "llama3.1-8b/rtx4090"], "--hardware goes with --log"),
    "setting of a bundled run": (["--max-num-seqs", "8"], "--max-num-seqs goes with --log"),
    "unknown hardware": ([*LOG, "--hardware", "llama3.1-8b/rtx409", *SERVER[2:]], "did you mean"),
    "no such file": (["--log", "nowhere.csv", *SERVER], "no such file"),
    "too little memory": ([*LOG, *SERVER, "--num-gpu-blocks", "50"], "no policy completes it"),
    "ranks in lockstep": ([*LOG, *SERVER, "--data-parallel", "2", "--expert-parallel"], "drop --expert-parallel"),
    "block beyond the memory": ([*LOG, *SERVER, "--block-size", "999999"], "block size 999999"),
    "figure of an unknown kind": ([*LOG, *SERVER, "--plot", "a.gif"], "must end in"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(case, log_file, capsys):
    """Claim: exit 2, one line on standard error that names the option or value, nothing on standard output."""
    arguments, said = BAD[case]
    code, out, err = validate(capsys, *(log_file if argument == "LOG" else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-num-seqs", "0"],
        ["--num-gpu-blocks", "1"],
        ["--data-parallel", "x"],
        ["--block-size", "0"],
        ["--data-parallel", "1025"],
    ],
)
def test_numbers_out_of_range_are_refused(arguments, log_file, capsys):
    """Claim: an option's own check: exit 2."""
    assert validate(capsys, "--log", log_file, *SERVER, *arguments)[:2] == (2, "")
