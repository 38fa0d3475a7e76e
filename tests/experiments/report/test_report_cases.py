"""Reports of experiments out of the ordinary, each opened in a real browser: nothing is said, asked for or broken."""

import shutil

import pytest

from experiments.findings import open_results, run
from experiments.report import write_report
from experiments.results.failures import Failures
from experiments.results.folder import ResultsFolder
from experiments.results.parts import encode
from experiments.spec import ExperimentSpec

PLAIN = {
    "workloads": ["p512d20"],
    "fleets": ["llama2-7b/a100-80g"],
    "policies": ["vllm-v1", "sjf"],
    "loads": [0.5, 0.8],
    "requests": 40,
    "replications": 2,
    "bounds": "fast",
}
LONG = ("a-very-long-label-without-a-place-to-break-" * 12)[:299]
CASES = {
    "rates, one replication": {"loads": None, "rates_per_s": [2.0, 4.5], "replications": 1},
    "scales, predictors, no bounds": {
        **{"loads": None, "scales": [1, 2], "load": 0.8, "predictors": ["oracle", "noise:1"], "bounds": "none"}
    },
    "precision, one load": {
        **{"loads": [0.6], "replications": None},
        "precision": {"relative": 0.5, "metric": "latency_mean_s", "least": 2, "most": 4},
    },
    "mixed hardware": {
        "fleets": [{"groups": [{"hardware": "llama2-7b/a100-80g"}, {"hardware": "reference", "size": 2}]}],
        **{"policies": ["vllm-v1"], "loads": None, "rates_per_s": [4.0]},
    },
    "nobody can run": {"policies": ["wait"], "loads": [1.1, 1.2]},
    "long labels": {
        "description": LONG,
        "workloads": [{"name": "p512d20", "label": LONG + "w"}],
        "policies": [{"name": "vllm-v1", "label": LONG + "1"}, {"name": "sjf", "label": LONG + "2"}],
        "fleets": [{"hardware": "llama2-7b/a100-80g", "label": LONG + "f"}],
    },
    "markup everywhere": {
        "description": "<script>alert(1)</script>",
        "workloads": [{"name": "p512d20", "label": '"><svg onload=alert(2)>{{ 7 * 7 }}'}],
        "policies": [
            {"name": "vllm-v1", "label": "--></script><script>alert(3)</script>"},
            {"name": "sjf", "label": "datum['series'] + `${alert(4)}` \u2028 \\\\' \\\""},
        ],
        "fleets": [
            {"hardware": "llama2-7b/a100-80g", "label": "<!-- <iframe src=//example.invalid> javascript:alert(5)"}
        ],
    },
}


def specification(**changes):
    return ExperimentSpec(**{name: value for name, value in (PLAIN | changes).items() if value is not None})


@pytest.mark.parametrize("name", CASES)
def test_an_experiment_out_of_the_ordinary(visit, tmp_path, name):
    """Claim: its report opens, every chart that there is is drawn, no text of it does anything, and it is no wider."""
    write_report(run(specification(**CASES[name]), tmp_path / "results", workers=1), tmp_path / "report.html")
    page = visit(tmp_path / "report.html", width=800)
    figures = page.locator("figure.chart")
    assert page.locator("figure.chart .canvas svg").count() == figures.count()
    assert figures.count() == {"nobody can run": 0, "scales, predictors, no bounds": 6}.get(name, 7)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    assert page.locator("iframe, img, object, embed, link, main svg[onload], [onclick], [onerror]").count() == 0
    assert "NaN" not in page.locator("main").inner_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished experiment, to be taken apart."""
    return run(specification(), tmp_path_factory.mktemp("whole") / "results", workers=1)


@pytest.mark.parametrize("finished", [0, 1, 7])
def test_an_experiment_half_finished(visit, tmp_path, whole, finished):
    """Claim: whatever is finished is shown, the rest is said to be missing, and a failure shows its traceback."""
    shutil.copytree(whole.folder.path, tmp_path / "partly")
    store = ResultsFolder.open(tmp_path / "partly")
    for segment in (store.path / "segments").iterdir():
        segment.unlink()
    for row in whole.rows().to_pylist()[:finished]:
        maps = {name: dict(row[name]) for name in ("metrics", "shown", "quantiles")}
        store.parts.write(row["task"], encode(row | maps))
    tasks = [task for task, _ in whole.plan.places()]
    left = [task for task in tasks if task not in store.finished()]
    failures = Failures(store.path / "failures")
    failures.write(left[0], "what <b>failed</b>", "Error: no", "Traceback\n</script><script>alert(1)</script>")
    write_report(open_results(store.path), tmp_path / "report.html")
    page = visit(tmp_path / "report.html")
    said = page.inner_text(".warning")
    assert f"{len(left) - 1} of {len(tasks)} tasks missing; 1 of {len(tasks)} tasks failed" in said
    assert "with --retry-failed" in said
    chips = page.locator(".chips li").all_text_contents()
    assert any("replication" in chip for chip in chips) == (finished > 1)  # the first task bounds a path
    assert not any(chip.startswith("0 ") for chip in chips)
    assert "alert(1)" in page.inner_text("#trouble")
    assert page.locator("figure.chart .canvas svg").count() == page.locator("figure.chart").count()
