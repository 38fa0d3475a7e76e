"""The Python API: run, open, tables; the numbers are those of the gap table that needs no folder."""

import pytest

import experiments
from experiments.spec import ExperimentSpec, read_spec
from orsched.errors import InputError
from orsched.fleet import Fleet

SETTINGS = {
    "workloads": ["azure-conv"],
    "fleets": ["llama2-7b/a100-80g"],
    "policies": ["vllm-v1", "wait"],
    "loads": [0.4, 1.1],
    "requests": 60,
    "replications": 3,
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    return experiments.run(ExperimentSpec(**SETTINGS), tmp_path_factory.mktemp("out") / "results", workers=1)


def test_the_gap_table_of_a_folder_is_that_of_one_call(findings):
    """Claim: gap_table() with the same settings has the same rows, to the last bit."""
    (table,) = findings.gap_tables().values()
    from orsched.catalogue import hardware

    direct = experiments.gap_table(
        "azure-conv", Fleet.single(hardware("llama2-7b/a100-80g")), ["vllm-v1", "wait"],
        loads=[0.4, 1.1], requests=60, replications=3, workers=1,
    )  # fmt: skip
    assert len(table.rows) == len(direct.rows) == 4
    for ours, theirs in zip(table.rows, direct.rows, strict=True):
        assert (ours.policy, ours.load, ours.information) == (theirs.policy, theirs.load, theirs.information)
        assert ours.cells() == theirs.cells()
        assert ours.gaps == theirs.gaps
        assert {name: ours.metrics[name] for name in ours.metrics} == {n: theirs.metrics[n] for n in ours.metrics}
        assert {"latency_mean_s", "ttft_p99_s"} <= ours.metrics.keys() or ours.stable is None


def test_all_tables_agree_with_each_other(findings):
    """Claim: frame, tasks, bounds and SQL tell the same story; everything is finished."""
    frame, tasks, bounds = findings.frame(), findings.tasks(), findings.bounds()
    assert set(tasks["status"]) <= {"done", "unavailable"}
    assert len(tasks) == 2 * 3 * 3
    assert set(frame["task"]) == set(tasks["task"][tasks["kind"] == "serve"])
    assert set(bounds["task"]) == set(tasks["task"][tasks["kind"] == "bound"])
    found = findings.query("SELECT count(*) AS n, avg(gap) AS gap FROM results WHERE metric = 'latency_mean_s'")
    latency = frame[frame["metric"] == "latency_mean_s"]
    assert found["n"][0] == len(latency)
    assert found["gap"][0] == pytest.approx(latency["gap"].mean())
    assert (latency["gap"].dropna() >= -1e-9).all()
    assert findings.failures() == []
    assert findings.damaged == ()


def test_a_folder_is_opened_again_with_its_specification(findings):
    """Claim: what was run can be read from the folder, and its file runs it again without computing anything."""
    again = experiments.open_results(findings.folder.path)
    assert again.spec == findings.spec == read_spec(findings.folder.specification)
    assert again.frame().equals(findings.frame())
    assert experiments.run(findings.folder.specification, findings.folder.path, workers=1).frame().equals(again.frame())


def test_a_notebook_shows_counts_and_tables(findings):
    """Claim: the notebook form has the counts and a table of every workload."""
    html = findings._repr_html_()
    assert "18 done" in html or "unavailable" in html
    assert "<table" in html


def test_what_cannot_be_run_is_refused_before_a_folder_is_made(tmp_path):
    """Claim: unknown names, a missing file, workers and a cluster at once: an error, and no folder."""
    out = tmp_path / "out"
    spec = ExperimentSpec(**SETTINGS)
    for wrong, options in (
        ("demmo", {}),
        (tmp_path / "none.toml", {}),
        (ExperimentSpec(**SETTINGS | {"policies": ["vllm-v3"]}), {}),
        (spec, {"workers": 2, "cluster": "tcp://127.0.0.1:9"}),
        (spec, {"cluster": "127.0.0.1:9"}),
    ):
        with pytest.raises(InputError):
            experiments.run(wrong, out, **options)
    assert not out.exists()
