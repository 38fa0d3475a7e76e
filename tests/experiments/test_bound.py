"""``orsched bound``: every bound of the paths that policies meet, and how close policies come."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import policies
from experiments.cli import main
from experiments.comparison.bounding import Bounding, bounding
from experiments.comparison.experiment import Experiment
from experiments.render.certificate import certificate_document
from orsched.bound import Bound
from orsched.catalogue import hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Minorant

SMALL = ["--workload", "reference", "--hardware", "reference", "--requests", "80", "--replications", "2"]


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run ``orsched bound --json`` in this process and return its object."""
    assert main(["bound", *SMALL, *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def small(**changes: Any) -> Experiment:
    fleet = Fleet.identical(hardware("reference"))
    settings = {"workload": "reference", "policies": ("sarathi",), "loads": (0.7,), "requests": 80, "replications": 2}
    return Experiment(**{"fleet": fleet, **settings, **changes})


def test_bounds_are_those_of_evaluate(capsys: pytest.CaptureFixture[str]):
    """Same paths, same bounds, same keys as ``orsched evaluate --json`` at the same load and seed."""
    found = document(capsys, "--load", "0.8", "--seed", "5")
    assert main(["evaluate", "--policy", "sarathi", *SMALL, "--load", "0.8", "--seed", "5", "--json"]) == 0
    other = json.loads(capsys.readouterr().out)
    shown = [{key: value for key, value in bound.items() if key != "tightest"} for bound in found["bounds"]]
    assert shown == other["bounds"]
    assert found["wall_s"] > 0
    assert (found["policies"], found["best_policy"]) == ([], None)


def test_one_bound_per_metric_is_the_tightest(capsys: pytest.CaptureFixture[str]):
    """It has the largest mean of the lower bounds on its metric, the smallest of the upper ones."""
    bounds = document(capsys)["bounds"]
    for metric in {bound["metric"] for bound in bounds}:
        same = [bound for bound in bounds if bound["metric"] == metric]
        (best,) = [bound for bound in same if bound["tightest"]]
        pick = max if best["sense"] == "lower" else min
        assert best["value"] == pick(bound["value"] for bound in same)


def test_policies_come_with_their_gap(capsys: pytest.CaptureFixture[str]):
    """The gaps are those of evaluate, and the best policy is the one with the smallest mean latency."""
    found = document(capsys, "--policy", "sarathi,sjf", "--policy", "vllm-v1")
    rows = {row["policy"]: row for row in found["policies"]}
    assert set(rows) == {"sarathi", "sjf", "vllm-v1"}
    assert found["best_policy"] == min(rows, key=lambda name: rows[name]["metrics"]["latency_mean_s"]["mean"])
    assert main(["evaluate", "--policy", "sjf", *SMALL, "--json"]) == 0
    other = json.loads(capsys.readouterr().out)
    assert rows["sjf"]["gaps"] == other["gaps"]


def test_all_means_every_policy_that_can_run(capsys: pytest.CaptureFixture[str]):
    """The table shows the whole registry, says which is best and why another cannot run."""
    arguments = ["bound", *SMALL, "--policy", "all", "--load", "1.2"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in policies.policy_names())
    assert "best: " in text
    assert "note: wait cannot run: " in text


def test_the_table_marks_one_bound_per_metric(capsys: pytest.CaptureFixture[str]):
    """Metric, value with interval, kind, validity, certified, name; a star for the tightest."""
    assert main(["bound", *SMALL]) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if line.startswith("metric"))
    assert header.split() == ["metric", "bound", "±", "95%", "unit", "kind", "validity", "certified", "name"]
    latency = [line for line in lines if line.startswith("latency_mean_s")]
    assert sum(line.rstrip().endswith("*") for line in latency) == 1
    assert all("pathwise" in line for line in latency)


def test_the_certificate_is_that_of_the_tightest_latency_bound(capsys: pytest.CaptureFixture[str]):
    """It belongs to the first path: its value is found again by bounding that path alone."""
    found = document(capsys, "--replications", "1")["dual_certificate"]
    path = bounding(small(loads=(0.9,), replications=1), with_policies=False).paths[0]
    best = max((b for b in path if b.metric == "latency_mean_s" and b.certified), key=lambda b: b.value)
    assert (found["bound"], found["value"], found["metric"]) == (best.name, best.value, "latency_mean_s")
    assert set(best.certificate) < set(found)


def test_a_certificate_survives_json():
    """Fractions, records, arrays and infinities of any depth become texts, objects and lists."""
    facts = {
        "third": Fraction(1, 3),
        "whole": Fraction(2),
        "minorant": Minorant(0.1, 0.2, 0.3, 0.4),
        "duals": np.array([1.0, math.inf]),
        "rows": ({"name": "time", "count": np.int64(3)},),
    }
    found = certificate_document(Bound("x", 1.0, "lower", "latency_mean_s", "pathwise", True, "s", facts))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["third"], found["whole"], found["duals"]) == ("1/3", "2/1", [1.0, "inf"])
    assert found["minorant"]["base_s"] == 0.1
    assert found["rows"] == [{"name": "time", "count": 3}]


def test_a_bound_in_a_limit_is_never_the_tightest():
    """An asymptotic number does not bound policies, however large it is."""
    fair = Bound("fair", 1.0, "lower", "latency_mean_s", "pathwise", True)
    limit = Bound("limit", 9.0, "lower", "latency_mean_s", "asymptotic", True)
    found = Bounding(small(), "w", ((limit, fair),), (), (), 1.0)
    assert {b["name"]: b["tightest"] for b in found.to_json()["bounds"]} == {"limit": False, "fair": True}


def test_several_loads_are_refused():
    """Means over different loads would mean nothing."""
    with pytest.raises(InputError, match="one load"):
        bounding(small(loads=(0.5, 0.7)), with_policies=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workload", "azure-con"], "did you mean 'azure-conv'"),
        (["--hardware", "llama2"], "'llama2-7b/a100-80g'?"),
        (["--policy", "saratti"], "did you mean 'sarathi'"),
        (["--policy", "sjf,sjf"], "policies.1 = 'sjf': given twice; leave one out"),
        (["--policy", ","], "at least one policy"),
        (["--load", "0"], "load 0.0: must be a positive, finite number"),
        (["--requests", "1"], "requests = 1: must be a whole number >= 2"),
        (["--replications", "0"], "replications = 0"),
        (["--seed", "-1"], "seed = -1"),
        (["--instances", "0"], "Group.size = 0"),
        (["--workload", "mooncake-conversation", "--hardware", "reference"], "--drop-oversized"),
    ],
)
def test_bad_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    """Exit 2, one line that says what to do, nothing printed."""
    assert main(["bound", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_every_key_is_described(capsys: pytest.CaptureFixture[str]):
    """docs/cli.md names each key of the object that is not one of evaluate's or of a certificate's facts."""
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.partition("## `orsched bound`")[2].partition("\n## ")[0]
    found = document(capsys)
    keys = {*found, "tightest", "bound", "metric", "value", "subject"}
    assert not {key for key in keys if f"`{key}`" not in section}
