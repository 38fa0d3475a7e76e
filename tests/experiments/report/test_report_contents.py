"""What the report says: settings, sentences, tables, and what is missing."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.findings import open_results, run
from experiments.report.building import contents_of
from experiments.report.hardware import hardware_cards
from experiments.report.quantiles import mean_quantiles
from experiments.report.scene_search import MOST_REQUESTS, SceneSearch
from experiments.report.settings import joined, settings_of
from experiments.report.tables.table import MOST_ROWS, Cell, Column, Table
from experiments.report.versions import versions
from experiments.results.folder import ResultsFolder
from experiments.results.parts import encode
from experiments.spec import ExperimentSpec
from orsched.gap_table import GapRow, GapTable
from orsched.statistics.estimate import estimate


def changed(results, folder, change):
    """The same experiment with `change(row, place)` in place of each finished task; None leaves it out."""
    shutil.copytree(results, folder)
    findings = open_results(folder)
    places = dict(findings.plan.places())
    rows = findings.rows().to_pylist()
    for segment in (folder / "segments").iterdir():
        segment.unlink()
    store = ResultsFolder.open(folder)
    for row in rows:
        maps = {name: dict(row[name]) for name in ("metrics", "shown", "quantiles")}
        if (new := change(row | maps, places[row["task"]])) is not None:
            store.parts.write(row["task"], encode(new))
    return open_results(folder)


def row(policy, load, information="none"):
    return GapRow(policy, information, load, {"latency_mean_s": estimate([1.0, 2.0])}, {}, True, 0, 2)


def table(predictor, *rows):
    return GapTable("w", "f", 10, 2, 0, rows, predictor=predictor)


def test_predictors_stand_side_by_side():
    """Claim: a policy is a series per predictor, next to each other; one that uses no lengths is a single one."""
    rows = [row("fcfs", 0.5), row("sjf", 0.5, "predicted"), row("fcfs", 0.9), row("sjf", 0.9, "predicted")]
    found, names = joined([table("oracle", *rows), table("noise:1", *rows), table(None, *rows)])
    assert [(one.policy, one.load) for one in found.rows[:4]] == [
        ("fcfs", 0.5),
        ("sjf, oracle", 0.5),
        ("sjf, noise:1", 0.5),
        ("sjf, as declared", 0.5),
    ]
    assert len(found.rows) == 8
    assert names["fcfs", "noise:1"] == "fcfs"
    alone, names = joined([table("oracle", *rows)])
    assert alone.policies == ("fcfs", "sjf")
    assert (alone.predictor, found.predictor) == ("oracle", None)


def test_summary_names_the_best_and_those_that_failed(contents, report_names):
    """Claim: a sentence per load says who is best with the gap and its bound, who is unstable, who could not run."""
    low, high = contents.parts[0].sentences
    assert low.startswith("Load 0.5: vllm-v1 is best in mean latency: ")
    assert "% above what no policy can beat (congestion-lp (pathwise, certified))" in low
    assert high == f"Load 1.1: no policy is stable; unstable: vllm-v1, {report_names[0]}; not run: wait."


def test_tables_hold_the_numbers_of_the_gap_table(contents, findings):
    """Claim: the matrix has the cells of `GapTable.matrix`, metrics and bounds their means; trouble is listed."""
    (original,) = findings.gap_tables().values()
    matrix = original.matrix()
    shown = contents.parts[0].gaps[0]
    assert [cells[0].text for cells in shown.rows] == list(matrix.policies)
    assert shown.rows[0][2].key == pytest.approx(100 * matrix.cells[0][0].estimate.mean)
    assert [cells[3].text for cells in shown.rows] == ["unstable", "unstable", "not run"]
    times = contents.parts[0].tables[0]
    assert times.rows[0][3].key == original.rows[0].metrics["latency_mean_s"].mean
    bounds = next(t for t in contents.parts[0].tables if t.caption.startswith("Bounds"))
    assert {cells[6].text for cells in bounds.rows} >= {"pathwise"}
    assert [cells[1].text for cells in contents.trouble.rows] == ["unstable", "unstable", "not run"]
    assert not contents.unfinished


def test_quantiles_are_averaged_over_replications(findings):
    """Claim: each percentile is the mean of those of the rows."""
    frame = mean_quantiles(findings.plan, findings.rows())
    tasks = [task for task, place in findings.plan.places() if (place.policy, place.point) == ("vllm-v1", 0.5)]
    rows = {one["task"]: dict(one["quantiles"]) for one in findings.rows().select(["task", "quantiles"]).to_pylist()}
    expected = np.mean([rows[task]["ttft_s"] for task in tasks], axis=0)
    mine = frame[(frame["policy"] == "vllm-v1") & (frame["point"] == 0.5) & (frame["time"] == "ttft_s")]
    assert mine["value"].to_numpy() == pytest.approx(expected, rel=1e-12)
    assert len(mine) == 101


def test_the_path_of_the_charts_over_time_is_the_stored_one(findings):
    """Claim: replication 0 simulated again is what was stored, at the highest load where half are stable."""
    (setting,) = settings_of(findings)
    scene = SceneSearch(findings).scene(setting)
    assert scene.title == "load 0.5, seed 0, replication 0"
    assert list(scene.paths) == list(setting.series)
    assert scene.left_out == ()
    frame = findings.frame()
    stored = frame[(frame["metric"] == "latency_mean_s") & (frame["replication"] == 0) & (frame["point"] == 0.5)]
    again = [path.run.latency_s.mean() for path in scene.paths.values()]
    assert again == pytest.approx(stored["whole_value"].to_list(), rel=1e-9)
    window = scene.window()
    assert len(window) == 40
    assert 0 <= window.start < window.stop <= 150


def test_a_long_path_is_not_simulated_again(findings):
    """Claim: beyond the limit the report says that charts are left out."""
    search = SceneSearch(findings)
    search.left = 100
    (setting,) = settings_of(findings)
    assert f"{MOST_REQUESTS:,}" in search.scene(setting)


def test_an_unfinished_experiment_has_a_report(results, tmp_path):
    """Claim: with a task missing the report is written, says so, and ranks all but the policy that lacks it."""

    def change(row, place):
        return None if (place.policy, place.point, place.replication) == ("vllm-v1", 0.5, 2) else row

    found = contents_of(changed(results, tmp_path / "part", change))
    assert found.unfinished == "1 of 24 tasks missing. Run the specification again to go on."
    assert len(found.parts[0].figures) == 7
    assert found.parts[0].sentences[0].endswith("; not ranked with them: vllm-v1.")


def test_an_experiment_with_nothing_finished_has_a_report(results, tmp_path):
    """Claim: an empty folder gives a page without settings that says what is missing."""
    found = contents_of(changed(results, tmp_path / "none", lambda row, place: None))
    assert found.parts == []
    assert found.unfinished.startswith("24 of 24 tasks missing")


def test_results_of_other_code_are_not_drawn_over_time(results, tmp_path):
    """Claim: where the simulation gives another latency than was stored, the chart is left out with the reason."""

    def change(row, place):
        if (place.policy, place.replication) == ("vllm-v1", 0):
            row["metrics"]["latency_mean_s"] *= 1.01
        return row

    again = changed(results, tmp_path / "other", change)
    scene = SceneSearch(again).scene(settings_of(again)[0])
    assert "vllm-v1" not in scene.paths
    assert "the code has changed" in scene.left_out[0]


def test_hardware_says_how_wrong_it_is():
    """Claim: a card has the entry's calibration errors and range; an unknown entry is said to be unavailable."""
    spec = ExperimentSpec(
        workloads=["azure-conv"], fleets=["llama2-7b/a100-80g", "gone.toml"], policies=["vllm-v1"], loads=[0.5]
    )
    known, gone = hardware_cards(spec)
    assert ["decode", "fit", "44", "2.7%", "6.5%"] in [[cell.text for cell in cells] for cells in known.errors.rows]
    assert "prompt_tokens 0 to 65,536" in dict(known.facts)["calibrated range"]
    assert gone.errors is None
    assert gone.facts[0][0] == "not available"


def test_versions_name_the_code_of_the_results(findings):
    """Claim: the report says which code computed the results, and the versions of what decides them."""
    found = dict(versions(findings))
    assert found["code of the results"] == findings.plan.code
    assert {"numpy", "highspy", "altair", "Python", "report by orsched"} <= found.keys()


@given(st.integers(0, 3 * MOST_ROWS))
def test_long_tables_are_cut_and_say_so(rows):
    """Claim: no row vanishes silently."""
    found = Table("t", [Column("c")], [[Cell("x")]] * rows)
    assert len(found.shown_rows) + found.left_out == rows
    assert len(found.shown_rows) <= MOST_ROWS


def test_scales_and_rates_have_reports(tmp_path):
    """Claim: the columns may be scales or rates; no policy with a bound is not an error."""
    spec = ExperimentSpec(
        workloads=["p512d20"],
        fleets=["llama2-7b/a100-80g"],
        policies=["vllm-v1", "sjf"],
        predictors=["oracle", "noise:1"],
        scales=[1, 2],
        load=0.8,
        requests=40,
        replications=2,
        bounds="none",
    )
    found = contents_of(run(spec, tmp_path / "scales", workers=1))
    (part,) = found.parts
    assert part.setting.series == ("vllm-v1", "sjf, oracle", "sjf, noise:1")
    assert part.sentences[1].startswith("Scale 2: ")
    assert [figure.name.removeprefix("setting-1-") for figure in part.figures] == [
        *("pareto", "cdf-latency", "cdf-ttft", "cdf-tpot", "over-time", "time-line"),
    ]
    assert found.bound_use is None
    assert "2 scales" in found.chips


def test_charts_of_many_policies_show_the_first(findings):
    """Claim: a setting cut to its first series keeps their numbers and nothing of the others."""
    (setting,) = settings_of(findings)
    cut = setting.first(2)
    assert cut.series == setting.series[:2]
    assert cut.rows == {key: row for key, row in setting.rows.items() if key[0] in cut.series}
    assert set(cut.quantiles["series"]) == set(cut.series)
    assert set(cut.names.values()) == set(cut.series)
