"""``orsched fleet`` as a user types it."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from experiments.cli import main
from experiments.fleet.report import FILES
from experiments.fleet.spec_file import ready_names
from orsched.run_files import load_run

PROGRAM = Path(sys.executable).with_name("orsched")
SPEC = """
description = "two groups that do everything"
[[group]]
hardware = "reference"
size = 2
tier = "chat"
[[group]]
hardware = "reference"
off = 1
[workload]
name = "reference"
requests = 120
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
[[faults.instance]]
at_s = 5
instance = 1
for_s = 3
[experiment]
replications = 2
keep_requests = true
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SPEC)
    return path


def test_json_is_the_only_thing_on_standard_output(spec):
    """Claim: a process of its own prints one object with the documented keys and exits with 0."""
    done = subprocess.run([PROGRAM, "fleet", "--spec", spec, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["name"], found["replications"], found["requests"]) == ("mine", 2, 120)
    assert [row["policy"] for row in found["policies"]] == ["vllm-v1+jsq", "sarathi+round-robin"]
    first, second = found["policies"]
    assert first["metrics"]["restarts"]["mean"] > 0
    assert first["differences"] == {}
    assert second["differences"]["attainment"]["n"] == 2
    assert 0 < first["over_bound"]["mean"] <= 1
    assert found["bound"]["certified"]
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.split("## `orsched fleet`")[1].split("\n## ")[0]
    assert not {key for key in (*found, *first, *found["bound"]) if f"`{key}`" not in section}


def test_the_table_says_what_was_run(spec, capsys):
    """Claim: title, policies, objectives and bound are in the text."""
    assert main(["fleet", "--spec", str(spec)]) == 0
    printed = capsys.readouterr().out
    for text in (
        "mine: reference at 5 requests/s",
        "sarathi+round-robin",
        "tier chat: TTFT 2 s, TPOT 50 ms",
        "bound: ",
    ):
        assert text in printed


def test_out_writes_every_file_and_the_runs_that_are_kept(spec, tmp_path, capsys):
    """Claim: the folder holds the tables, the summary, the figure in both forms, and one run per policy and path."""
    out = tmp_path / "new" / "folder"
    assert main(["fleet", "--spec", str(spec), "--out", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    assert {path.name for path in out.iterdir()} == {*FILES, "requests"}
    printed, written = json.loads(captured.out), json.loads((out / "summary.json").read_text())
    assert printed["policies"] == written["policies"]
    frame = pd.read_csv(out / "table.csv")
    row = frame.query("policy == 'vllm-v1+jsq' and metric == 'ttft_p99_s' and tier.isna()").iloc[0]
    assert row["mean"] == printed["policies"][0]["metrics"]["ttft_p99_s"]["mean"]
    assert "sarathi+round-robin" in (out / "table.md").read_text()
    latex = (out / "table.tex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") >= 2
    assert (out / "timeline.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(out / "timeline.svg").getroot().tag.endswith("svg")
    kept = sorted(path.name for path in (out / "requests").iterdir())
    assert kept == [f"{label}-{k}.parquet" for label in ("sarathi+round-robin", "vllm-v1+jsq") for k in (0, 1)]
    assert len(load_run(out / "requests" / kept[0])) == 120


def test_same_seed_same_bytes(spec, tmp_path):
    """Claim: a run again writes the same tables and figure; another seed does not."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, seed in zip(folders, "112", strict=True):
        assert main(["fleet", "--spec", str(spec), "--seed", seed, "--out", str(folder)]) == 0
    for name in ("table.csv", "table.tex", "timeline.svg"):
        first, again, other = ((folder / name).read_bytes() for folder in folders)
        assert first == again != other


def test_the_list_names_every_ready_specification(capsys):
    """Claim: --list shows specifications and systems with what they are, and --json the same."""
    assert main(["fleet", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*ready_names(), "routed"))
    assert main(["fleet", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["specifications"]] == ready_names()


def test_a_ready_specification_runs(capsys):
    """Claim: --name runs one, with fewer paths if asked."""
    assert main(["fleet", "--name", "two-tiers", "--replications", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["replications"], len(found["tiers"])) == ("two-tiers", 1, 2)


def test_bad_input_is_one_line_and_nothing_else(tmp_path, capsys):
    """Claim: exit code 2, one line on standard error that names file and field, nothing on standard output."""
    path = tmp_path / "bad.toml"
    path.write_text(SPEC.replace("size = 2", "size = -2"))
    taken = tmp_path / "taken"
    taken.write_text("a file")
    good = tmp_path / "good.toml"
    good.write_text(SPEC)
    cases = {
        ("--spec", str(path)): "bad.toml: group.0.size = -2: input should be greater than or equal to 1",
        ("--spec", str(tmp_path / "none.toml")): "none.toml: cannot be read as a specification",
        ("--name", "two-teirs"): "unknown ready specification 'two-teirs': did you mean 'two-tiers'?",
        (): "give one of --spec FILE.toml, --name SPEC and --list",
        ("--name", "two-tiers", "--list"): "give one of --spec",
        ("--spec", str(good), "--out", str(taken)): "taken is a file, not a folder",
    }
    for arguments, expected in cases.items():
        assert main(["fleet", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert expected in captured.err


def test_options_out_of_range_are_refused(spec, capsys):
    """Claim: no negative seed, no path at all, no process at all."""
    for option, value in (("--seed", "-1"), ("--replications", "0"), ("--workers", "0")):
        assert main(["fleet", "--spec", str(spec), option, value]) == 2
        assert capsys.readouterr().out == ""
