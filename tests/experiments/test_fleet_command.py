"""``orsched fleet`` as a user types it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from experiments.cli import main
from experiments.fleet.drawable import drawable
from experiments.fleet.report import FILES
from experiments.fleet.spec_file import ready_names
from orsched.run_files import load_run
from orsched.scoring import deadlines

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
    assert kept == [f"{label}-{k}.parquet" for label in ("0-vllm-v1+jsq", "1-sarathi+round-robin") for k in (0, 1)]


def test_kept_runs_hold_what_they_were_judged_by(spec, tmp_path):
    """Claim: lateness, tier and objectives of every request are in the file; attainment follows from it alone."""
    text = spec.read_text() + 'scoring = "deadlines"\n'
    spec.write_text(
        text.replace(
            'name = "chat"',
            'name = "other"\nshare = 0.5\nttft_s = 1\ntpot_s = 0.02\n[[tier]]\nname = "chat"\nshare = 0.5',
        )
    )
    assert main(["fleet", "--spec", str(spec), "--out", str(tmp_path / "out")]) == 0
    written = json.loads((tmp_path / "out" / "summary.json").read_text())
    runs = [load_run(tmp_path / "out" / "requests" / f"0-vllm-v1+jsq-{k}.parquet") for k in (0, 1)]
    assert runs[0].objectives.names == ("other", "chat")
    shares = [deadlines(run, run.objectives).mean() for run in runs]
    assert written["policies"][0]["metrics"]["attainment"]["mean"] == pytest.approx(sum(shares) / 2)
    chat = [deadlines(run, run.objectives)[run.objectives.class_id == 1].mean() for run in runs]
    assert written["policies"][0]["tiers"]["chat"]["attainment"]["mean"] == pytest.approx(sum(chat) / 2)


def test_labels_that_look_alike_have_files_of_their_own(spec, tmp_path):
    """Claim: labels that differ only in what file names do not take, or are very long, keep one file each."""
    labels = ["a/b", "a_b", "é" * 200, "è" * 200]
    policies = "".join(f'[[policy]]\nname = "vllm-v1"\nlabel = "{label}"\n' for label in labels)
    text = spec.read_text()
    spec.write_text(text[: text.index("[[policy]]")] + policies + text[text.index("[[faults") :])
    assert main(["fleet", "--spec", str(spec), "--out", str(tmp_path / "out"), "--replications", "1"]) == 0
    assert len(list((tmp_path / "out" / "requests").iterdir())) == 4


def test_runs_of_another_experiment_are_not_left_beside_the_results(spec, tmp_path, capsys):
    """Claim: a folder with kept runs that would stay as they are is refused before anything is written; the same
    experiment may write to it again."""
    out = tmp_path / "out"
    command = ["fleet", "--spec", str(spec), "--out", str(out)]
    assert main(command) == main(command) == 0
    before = (out / "summary.json").read_bytes()
    capsys.readouterr()
    assert main([*command, "--replications", "1"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "holds 0-vllm-v1+jsq-1.parquet, a run of another experiment" in captured.err
    spec.write_text(spec.read_text().replace("keep_requests = true", ""))
    assert main(command) == 2
    assert (out / "summary.json").read_bytes() == before


def test_texts_are_drawn_as_they_are(spec, tmp_path, capsys):
    """Claim: dollars, braces and underscores in labels, tiers and names are text, not mathematics, in every file."""
    text = (
        spec.read_text()
        .replace('"chat"', r'"_$\\bad{"')
        .replace('name = "sarathi"', r'name = "sarathi"' + "\n" + r'label = "$\\frac$"')
    )
    path = tmp_path / "$^$.toml"
    path.write_text(text)
    assert main(["fleet", "--spec", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "Traceback" not in capsys.readouterr().err
    assert ElementTree.parse(tmp_path / "out" / "timeline.svg").getroot().tag.endswith("svg")


def test_names_without_glyphs_are_drawn_as_escapes(spec, tmp_path):
    """Claim: what the font of the figure does not have is written as its escape, without a warning, and names differ;
    the other files keep the names."""
    text = (
        spec.read_text().replace('"chat"', '"聊天"').replace('name = "sarathi"', 'name = "sarathi"\nlabel = "批处理"')
    )
    path = tmp_path / "舰队.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["fleet", "--spec", str(path), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "timeline.png").read_bytes().startswith(b"\x89PNG")
    assert "批处理" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert drawable("聊天 é", 20) == r"\u804a\u5929 é"
    assert drawable("abcdef", 6) == "abcdef" != drawable("abcdefg", 6) == "abcde…"


def test_a_run_that_cannot_end_names_file_policy_and_path(spec, tmp_path, capsys):
    """Claim: an error in mid-run, in a process of its own too, is one line with specification, policy and path."""
    spec.write_text(
        spec.read_text().replace("for_s = 3", "[[faults.instance]]\nat_s = 5\ninstance = 0") + "workers = 2\n"
    )
    assert main(["fleet", "--spec", str(spec)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip().count("\n") == 0
    assert re.search(r"mine\.toml: vllm-v1\+jsq, path [01]: \d+ requests never finished", captured.err)


def test_starts_that_fail_are_counted(tmp_path, capsys):
    """Claim: the law of failed starts is in the report; starts that failed are counted, and happen only where a policy
    starts instances."""
    assert main(["fleet", "--name", "breakdowns", "--replications", "1", "--out", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faults"]["random"]["start_up_mean_between_s"] == 100
    failed = {row["policy"]: row["metrics"]["failed_starts"]["mean"] for row in found["policies"]}
    assert failed["polyserve"] > 0
    assert failed["llumnix"] == failed["sarathi+jsq"] == 0
    table = (tmp_path / "table.md").read_text()
    assert (
        "drawn for every instance: a start-up fault 100 s after the last one on average, until 150 s (seed 1)" in table
    )
    assert "failed starts" in table


def test_what_breaks_is_in_the_report(spec, tmp_path, capsys):
    """Claim: listed faults, the law of random ones, how many there are per path, and deaths are reported."""
    random = "[faults.random]\nhorizon_s = 20\nseed = 3\nlink_mean_between_s = 9\nlink_mean_repair_s = 1\n"
    spec.write_text(spec.read_text().replace("[experiment]", random + "[experiment]"))
    assert main(["fleet", "--spec", str(spec), "--out", str(tmp_path / "out"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faults"]["listed"] == [{"kind": "instance", "at_s": 5.0, "instance": 1, "for_s": 3.0}]
    assert (found["faults"]["random"]["seed"], found["faults"]["random"]["links"]["mean_between_s"]) == (3, 9.0)
    assert found["faults"]["per_path"]["mean"] >= 1
    assert found["policies"][0]["metrics"]["deaths"]["mean"] == 1
    table = (tmp_path / "out" / "table.md").read_text()
    assert "faults: 1 instance fault listed; drawn for every link: 9 s after the last repair, for 1 s" in table
    assert "instances died" in table


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
        ("--name", "two-teirs"): "unknown ready specification 'two-teirs': did you mean 'two-tiers'",
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
