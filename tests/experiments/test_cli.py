"""The command line: JSON on standard output, one line on standard error, exit codes."""

import json
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import policies
from experiments.cli import main
from orsched.catalogue import hardware_names
from orsched.devices import chip_names, model_names
from orsched.workloads.catalogue import workload_names

ORSCHED = str(Path(sysconfig.get_path("scripts")) / "orsched")
KEYS = {
    "policy",
    "information",
    "workload",
    "hardware",
    "load",
    "stable",
    "replications",
    "seed",
    "metrics",
    "bounds",
    "gaps",
    "wall_s",
    "requests_per_wall_s",
}
SMALL = ["--requests", "80", "--replications", "2", "--workers", "1"]


def orsched(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run([ORSCHED, *arguments], capture_output=True, text=True, cwd=cwd, check=False)


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run ``orsched evaluate --json`` in this process and return its object."""
    assert main(["evaluate", *arguments, *SMALL, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Return a small trace file."""
    path = tmp_path / "mine.csv"
    lines = [f"{0.3 * i},{50 + i},{5 + i % 7}" for i in range(50)]
    path.write_text("arrival_s,input_tokens,output_tokens\n" + "\n".join(lines) + "\n")
    return path


def test_json_is_the_only_thing_on_standard_output():
    """A process of its own: exit 0, one object with the documented keys, nothing else."""
    done = orsched("evaluate", "--policy", "vllm-v1", *SMALL, "--seed", "3", "--json")
    assert done.returncode == 0
    assert done.stderr.startswith("note: a full instance may see kv_tokens")
    assert done.stderr.count("\n") == 1
    found = json.loads(done.stdout)
    assert set(found) >= KEYS
    assert (found["policy"], found["information"]) == ("vllm-v1", "none")
    assert (found["workload"], found["hardware"]) == ("azure-conv", "llama2-7b/a100-80g")
    assert (found["load"], found["replications"], found["seed"], found["stable"]) == (0.9, 2, 3, True)
    for entry in (*found["metrics"].values(), *found["gaps"].values()):
        assert {"mean", "half_width", "n"} <= set(entry)
        assert entry["n"] == 2
    for bound in found["bounds"]:
        assert {"value", "metric", "validity", "certified"} <= set(bound)
    assert {"latency_mean_s", "ttft_mean_s", "effective_throughput_tokens_per_s"} <= set(found["gaps"])


@pytest.mark.parametrize("policy", ["vllm-v0", "vllm-v1", "sarathi", "orca", "sjf", "wait"])
def test_required_policies_exist(policy: str, capsys: pytest.CaptureFixture[str]):
    """Each can be evaluated on the reference instance, and never beats a bound."""
    found = evaluate(capsys, "--policy", policy, "--workload", "reference", "--hardware", "reference")
    assert found["policy"] == policy
    assert found["gaps"]["latency_mean_s"]["mean"] >= 0


@pytest.mark.parametrize(
    ("workload", "hardware"),
    [
        ("azure-conv", "llama3-8b/a100-80g"),
        ("azure-conv", "llama3.1-8b/rtx4090"),
        ("mooncake-conversation", "llama3-8b/a100-80g"),
        ("mooncake-synthetic", "llama3-8b/a100-80g"),
    ],
)
def test_required_names_exist(workload: str, hardware: str, capsys: pytest.CaptureFixture[str]):
    """Workloads and hardware of the catalogue combine."""
    found = evaluate(capsys, "--policy", "vllm-v1", "--workload", workload, "--hardware", hardware)
    assert (found["workload"], found["hardware"]) == (workload, hardware)


def test_same_seed_same_numbers(capsys: pytest.CaptureFixture[str]):
    """Two runs agree in all but the clock; another seed does not."""

    def numbers(seed: str) -> dict[str, Any]:
        found = evaluate(capsys, "--policy", "sjf", "--seed", seed)
        return {key: found[key] for key in ("metrics", "bounds", "gaps")}

    assert numbers("1") == numbers("1")
    assert numbers("1") != numbers("2")


def test_gap_is_against_the_best_bound_of_its_metric(capsys: pytest.CaptureFixture[str]):
    """With one replication the printed gap follows from the printed metric and bounds."""
    arguments = ["evaluate", "--policy", "vllm-v1", "--requests", "80", "--replications", "1", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    best = max(b["value"] for b in found["bounds"] if b["metric"] == "latency_mean_s")
    value = found["metrics"]["latency_mean_s"]
    assert value["half_width"] is None
    assert found["gaps"]["latency_mean_s"]["mean"] == (value["mean"] - best) / best


def test_overload_is_called_unstable(capsys: pytest.CaptureFixture[str]):
    """Load 1.3 is allowed, and said to be unstable in JSON and in the table."""
    arguments = [
        "evaluate",
        "--policy",
        "vllm-v1",
        "--load",
        "1.3",
        "--requests",
        "600",
        "--replications",
        "2",
    ]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["stable"] is False
    assert "load 1.3 >= 1" in found["stability"]
    assert main(arguments) == 0
    assert "stable: no" in capsys.readouterr().out


def test_slo_and_fleet(capsys: pytest.CaptureFixture[str]):
    """An objective adds goodput; a fleet has a router."""
    slo = ["--slo-ttft", "1", "--slo-tpot", "0.1"]
    fleet = ["--instances", "2", "--router", "least-kv"]
    found = evaluate(capsys, "--policy", "vllm-v1", *slo, *fleet)
    assert {"goodput_requests_per_s", "slo_attainment"} <= set(found["metrics"])
    assert (found["instances"], found["router"]) == (2, "least-kv")


def test_a_file_is_a_workload(trace: Path, capsys: pytest.CaptureFixture[str]):
    """A trace file works like a name; notices go to standard error."""
    lines = trace.read_text().splitlines()
    trace.write_text("\n".join([lines[0], lines[2], lines[1], *lines[3:]]) + "\n")
    assert main(["evaluate", "--policy", "vllm-v1", "--workload", str(trace), *SMALL, "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["workload"] == "mine"
    assert any("sorted" in notice for notice in found["notices"])
    assert "note: arrivals were not sorted" in captured.err


def test_gap_table_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Policies and loads by repetition or commas; files by their ending."""
    arguments = ["gap-table", "--policy", "vllm-v1,sjf", "--policy", "sarathi", "--load", "0.5", *SMALL]
    assert main([*arguments, "--output", str(tmp_path / "t.csv"), "--output", str(tmp_path / "t.md")]) == 0
    captured = capsys.readouterr()
    for policy in ("vllm-v1", "sjf", "sarathi"):
        assert policy in captured.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.md"]
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["policy"] for row in document["rows"]] == ["vllm-v1", "sjf", "sarathi"]


def test_gap_table_files_do_not_depend_on_workers(tmp_path: Path):
    """One and two workers write the same bytes, as a user runs it."""
    for workers in ("1", "2"):
        files = [word for end in ("parquet", "md", "tex", "png") for word in ("--output", f"{workers}.{end}")]
        arguments = ["--requests", "60", "--replications", "3", "--load", "0.5,0.9", "--workers", workers]
        done = orsched("gap-table", "--policy", "vllm-v1,wait", *arguments, *files, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for ending in ("parquet", "md", "tex", "png"):
        assert (tmp_path / f"1.{ending}").read_bytes() == (tmp_path / f"2.{ending}").read_bytes()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("policies", policies.policy_names()),
        ("workloads", workload_names()),
        ("hardware", hardware_names()),
        ("chips", chip_names()),
        ("models", model_names()),
        ("routers", policies.router_names()),
    ],
)
def test_lists(kind: str, names: list[str], capsys: pytest.CaptureFixture[str]):
    """Every name that exists is listed, for people and for programs."""
    assert main(["list", kind]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in names)
    assert main(["list", kind, "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)[kind]] == list(names)


EVALUATE = ["evaluate", "--policy", "vllm-v1"]
WAIT = ["evaluate", "--policy", "wait", "--workload", "reference", "--hardware", "reference"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--policy", "vlm-v1"], "unknown policy 'vlm-v1': did you mean 'vllm-v1'"),
        ([*EVALUATE, "--workload", "azure-con"], "did you mean 'azure-conv'"),
        ([*EVALUATE, "--workload", "missing.csv"], "missing.csv"),
        ([*EVALUATE, "--hardware", "llama2-7b/a100"], "did you mean 'llama2-7b/a100-80g'"),
        ([*EVALUATE, "--router", "jsk"], "did you mean 'jsq'"),
        ([*EVALUATE, "--load", "0"], "load 0.0: must be a positive, finite number"),
        ([*EVALUATE, "--load", "-1"], "load -1.0"),
        ([*EVALUATE, "--load", "nan"], "load nan"),
        ([*EVALUATE, "--load", "inf"], "load inf"),
        ([*EVALUATE, "--load", "high"], "--load"),
        ([*EVALUATE, "--requests", "1"], "requests = 1: must be a whole number >= 2"),
        ([*EVALUATE, "--requests", "2.5"], "--requests"),
        ([*EVALUATE, "--replications", "0"], "replications = 0"),
        ([*EVALUATE, "--seed", "-1"], "seed = -1"),
        ([*EVALUATE, "--instances", "0"], "Group.size = 0"),
        ([*EVALUATE, "--workers", "0"], "--workers"),
        ([*EVALUATE, "--slo-ttft", "1"], "both --slo-ttft and --slo-tpot"),
        ([*EVALUATE, "--slo-ttft", "nan", "--slo-tpot", "1"], "SLO.ttft_s = nan"),
        ([*EVALUATE, "--warm-up", "some"], "unknown warm-up rule 'some'"),
        ([*EVALUATE, "--thresholds", "1"], "--thresholds is for policy 'wait'"),
        ([*WAIT, "--thresholds", "1,1"], "violate M^pi <= C"),
        ([*WAIT, "--thresholds", "1"], "1 thresholds for 2 classes"),
        ([*WAIT, "--thresholds", "nan,1"], "--thresholds nan: must be a whole number"),
        ([*WAIT, "--load", "0.99", "--thresholds", "7,7", "--stage-iterations", "64"], "violate Delta^pi <= n_j"),
        (["evaluate"], "--policy"),
        (["gap-table", "--load", "0.5,x"], "--load 'x': not a number"),
        (["gap-table", "--load", "0.5,0.5"], "loads.1 = 0.5: given twice; leave one out"),
        (["gap-table", "--policy", "sjf,sjf"], "policies.1 = 'sjf': given twice; leave one out"),
        (["gap-table", "--policy", ","], "at least one policy"),
        (["gap-table", "--output", "t.doc"], "must end in one of"),
        (["list", "gpus"], "gpus"),
        (["bench", "engine", "--requests", "0"], "--requests"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """Exit 2, a message that names the culprit on standard error, nothing printed, nothing written."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("arrival_s,input_tokens,output_tokens\n0,10,5\n-1,10,5\n", "arrival_s"),
        ("arrival_s,input_tokens,output_tokens\n0,10,5\nnan,10,5\n", "arrival_s"),
        ("arrival_s,input_tokens,output_tokens\n0,10,5\n1,0,5\n", "input_tokens"),
        ("arrival_s,input_tokens,output_tokens\n0,10,5\n1,10,999999\n", "KV tokens"),
        ("arrival_s,input_tokens,output_tokens\n0,10,5\n0,10,5\n", "no arrival rate"),
        ("arrival_s,input_tokens,output_tokens\n", "bad.csv"),
        ("", "bad.csv"),
        ("a,b\n1,2\n", "bad.csv"),
    ],
)
def test_bad_files(content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A trace that cannot be used is refused with what is wrong, exit 2."""
    path = tmp_path / "bad.csv"
    path.write_text(content)
    assert main([*EVALUATE, "--workload", str(path), "--requests", "3", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_a_bad_command_in_a_process_of_its_own(tmp_path: Path):
    """Exit code 2, one line, no traceback; a truncated file is no exception."""
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    done = orsched(*EVALUATE, "--workload", "cut.parquet", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_interrupting_leaves_nothing_behind(tmp_path: Path):
    """Control-C: exit 130, a short message, no traceback, no file."""
    arguments = [ORSCHED, "demo", "--requests", "100000", "--workers", "1"]
    process = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_version_and_help(capsys: pytest.CaptureFixture[str]):
    """The version is the distribution's; help names every command."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("orsched 0.")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("demo", "evaluate", "gap-table", "list", "bench", "doctor"):
        assert command in text


def test_doctor(capsys: pytest.CaptureFixture[str]):
    """The report is printed; the exit code says whether something needs attention."""
    code = main(["doctor"])
    text = capsys.readouterr().out
    assert "package fluid" in text
    assert code == (0 if "all sound" in text else 1)


def test_predicted_lengths_reach_the_policies_that_use_lengths(capsys: pytest.CaptureFixture[str]):
    """--predictor: information and settings say so, the document names it; a policy without lengths runs as before."""
    reference = ["--workload", "reference", "--hardware", "reference", "--load", "0.8"]
    predicted = evaluate(capsys, "--policy", "sjf", "--predictor", "noise:0.5", *reference)
    assert (predicted["information"], predicted["predictor"]) == ("predicted", "noise:0.5")
    assert predicted["settings"]["predictor"] == "noise:0.5"
    true = evaluate(capsys, "--policy", "sjf", *reference)
    assert (true["information"], true["predictor"]) == ("oracle", None)
    assert true["metrics"] != predicted["metrics"]
    blind = evaluate(capsys, "--policy", "sarathi", "--predictor", "noise:0.5", *reference)
    assert (blind["information"], blind["settings"]) == ("none", {})
    same = evaluate(capsys, "--policy", "sjf", "--predictor", "oracle", *reference)
    assert same["metrics"] == true["metrics"]


def test_a_gap_table_says_where_lengths_come_from(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """gap-table --predictor: title, JSON and files; a predictor that is learnt from the workload works."""
    command = ["gap-table", "--policy", "mc-sf,wait,vllm-v1", "--workload", "reference", "--hardware", "reference"]
    command += ["--load", "0.5", *SMALL, "--predictor", "quantile:0.9"]
    assert main([*command, "--json", "--output", str(tmp_path / "t.csv")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["predictor"] == "quantile:0.9"
    levels = {row["policy"]: row["information"] for row in document["rows"]}
    assert levels == {"mc-sf": "predicted", "wait": "predicted", "vllm-v1": "none"}
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["predictor"].fillna("").tolist() == ["quantile:0.9", "quantile:0.9", ""]
    assert main(command) == 0
    assert "lengths predicted by quantile:0.9" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nose:1", "did you mean 'noise'"),
        ("noise", "needs a number after the colon"),
        ("interval:7", ">= 1e-06 and <= 1"),
    ],
)
def test_a_wrong_predictor_is_refused(text: str, message: str, capsys: pytest.CaptureFixture[str]):
    """Exit code 2 and one line that says what is allowed, for a policy that uses no lengths too."""
    assert main(["evaluate", "--policy", "vllm-v1", "--predictor", text, *SMALL]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_predictors_are_listed(capsys: pytest.CaptureFixture[str]):
    """list predictors: every name with how it is written."""
    assert main(["list", "predictors", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["predictors"]
    assert [row["name"].split(":")[0].split("[")[0] for row in listed] == policies.predictor_names()
