"""Tidy tables: what stands in them, in which order, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from drawing import NAMES, Drawing
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.results.entries import Entries, Exploded, Names
from experiments.results.gap_tables import gap_tables
from experiments.results.pairing import paired
from experiments.results.plan import Plan
from experiments.results.schema import row_table
from experiments.results.tidy import BOUNDS, TIDY, bounds_frame, tasks_frame, tidy_frame
from orsched.errors import InputError, MismatchError

TASKS = Drawing(first_replications=3).tasks()
ROWS = {task.id: task.compute() for task in TASKS}


def planned(tasks=TASKS):
    return Plan.of("spec", "code", [(task.id, task.place) for task in tasks])


def tables(rows):
    return pa.concat_tables([row_table(row) for row in rows])


def test_the_tidy_table_says_what_the_tasks_found():
    """Claim: a row per policy, path and metric in the order of plan and catalogue, gaps to the path's own bound."""
    frame = tidy_frame(paired(planned(), tables(ROWS.values())))
    assert list(frame.columns) == list(TIDY)
    serving = [task for task in TASKS if task.policy]
    assert list(frame["task"].drop_duplicates()) == [task.id for task in serving]
    assert list(frame["metric"][:3]) == [*NAMES, "rejected_share"]
    latency = frame[frame["metric"] == NAMES[0]].reset_index(drop=True)
    assert latency["gap"].to_numpy() == pytest.approx(latency["policy"].str.len() / 10)
    assert (latency["value"] == [ROWS[task.id]["shown"][NAMES[0]] for task in serving]).all()
    assert set(latency["bound"]) == {"least"}
    assert latency["bound_certified"].all()
    rest = frame[frame["metric"] != NAMES[0]]
    assert rest[["gap", "bound", "bound_value", "bound_validity", "bound_certified"]].isna().all(axis=None)


@settings(max_examples=10)
@given(order=st.permutations(list(ROWS)))
def test_the_table_does_not_depend_on_the_order_of_what_was_finished(order):
    """Claim: whatever order rows are stored in, all three tables are the same."""
    rows, same = tables(ROWS[task] for task in order), tables(ROWS.values())
    assert tidy_frame(paired(planned(), rows)).equals(tidy_frame(paired(planned(), same)))
    assert bounds_frame(planned(), rows).equals(bounds_frame(planned(), same))
    assert tasks_frame(planned(), rows, set()).equals(tasks_frame(planned(), same, set()))


def test_nothing_finished_gives_empty_tables_with_the_columns():
    """Claim: types and columns do not depend on there being rows."""
    none = tables(ROWS.values()).slice(0, 0)
    frame, bounds = tidy_frame(paired(planned(), none)), bounds_frame(planned(), none)
    full = tidy_frame(paired(planned(), tables(ROWS.values())))
    assert (len(frame), list(frame.columns)) == (0, list(TIDY))
    assert (len(bounds), list(bounds.columns)) == (0, list(BOUNDS))
    assert frame.dtypes.equals(full.dtypes)
    assert set(tasks_frame(planned(), none, {TASKS[1].id})["status"]) == {"missing", "failed"}


def test_a_path_whose_bounds_are_missing_has_no_gaps():
    """Claim: gaps are paired path by path; a neighbour's bound is never used."""
    frame = tidy_frame(paired(planned(), tables(row for task, row in ROWS.items() if task != TASKS[0].id)))
    at = (frame["point"] == TASKS[0].at) & (frame["replication"] == 0)
    assert frame["gap"][at].isna().all()
    assert frame["gap"][~at & (frame["metric"] == NAMES[0])].notna().all()


def test_one_task_may_stand_in_two_places():
    """Claim: a computation under two labels has rows under both."""
    task = TASKS[1]
    plan = Plan.of("spec", "code", [(t.id, t.place) for t in TASKS] + [(task.id, task.place._replace(policy="again"))])
    frame = tidy_frame(paired(plan, tables(ROWS.values())))
    again, first = frame[frame["policy"] == "again"], frame[(frame["policy"] == "a") & (frame["task"] == task.id)]
    assert again["gap"].to_list() == pytest.approx(first["gap"].to_list(), nan_ok=True)


def test_bounds_of_another_path_or_a_beaten_bound_are_refused():
    """Claim: a subject that differs, or a value below a pathwise bound, is an error and never a number."""
    serving = next(task for task in TASKS if task.policy)
    other = ROWS | {serving.id: ROWS[serving.id] | {"subject": "another path"}}
    with pytest.raises(MismatchError, match="derived from"):
        paired(planned(), tables(other.values()))
    better = ROWS | {serving.id: ROWS[serving.id] | {"metrics": {NAMES[0]: 1e-3}}}
    with pytest.raises(MismatchError, match="beyond the pathwise bound"):
        paired(planned(), tables(better.values()))


@pytest.mark.parametrize("column", ["metrics", "shown"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_metric_that_is_no_finite_number_is_refused(column, value):
    """Claim: such a value in a sealed part is an error that names policy, path and metric, never a number."""
    serving = TASKS[-1]
    rows = ROWS | {serving.id: ROWS[serving.id] | {column: {NAMES[1]: value}}}
    said = f"^bb on numbers, none, load 0.9, seed 0, replication 2: {NAMES[1]} is {value}, must be a finite number$"
    with pytest.raises(InputError, match=said):
        paired(planned(), tables(rows.values()))


@pytest.mark.parametrize(("field", "known"), [("sense", "lower or upper"), ("validity", "pathwise or fluid or asymp")])
def test_a_bound_of_an_unknown_kind_is_refused(field, known):
    """Claim: a sense or validity that there is not is an error that names the bound, never read as another."""
    (bound,) = ROWS[TASKS[0].id]["bounds"]
    rows = ROWS | {TASKS[0].id: ROWS[TASKS[0].id] | {"bounds": [bound | {field: "Lower"}]}}
    with pytest.raises(InputError, match=f"^bound 'least' on {NAMES[0]} has {field} 'Lower': must be {known}"):
        paired(planned(), tables(rows.values()))


def test_a_policy_that_cannot_run_has_a_row_with_the_reason():
    """Claim: unavailable is a result: one row without a metric, and a row of the gap table that is not run."""
    out = {"status": "unavailable", "reason": "no thresholds", "metrics": {}, "shown": {}, "comparable": []}
    rows = {t.id: ROWS[t.id] | (out | {"stable": None} if t.policy == "bb" else {}) for t in TASKS}
    found = paired(planned(), tables(rows.values()))
    frame = tidy_frame(found)
    bb = frame[frame["policy"] == "bb"]
    assert len(bb) == sum(task.policy == "bb" for task in TASKS)
    assert bb[["metric", "value", "gap"]].isna().all(axis=None)
    assert set(bb["reason"]) == {"no thresholds"}
    (table,) = gap_tables(found).values()
    assert [row.stability for row in table.rows] == ["yes", "not run"] * 2


def test_the_gap_table_has_means_over_replications():
    """Claim: rows by column then policy; means, half-widths and bounds are those of the replications."""
    (key, table), *_ = gap_tables(paired(planned(), tables(ROWS.values()))).items()
    assert key == ("numbers", "none", None)
    assert [(row.load, row.policy) for row in table.rows] == [(0.5, "a"), (0.5, "bb"), (0.9, "a"), (0.9, "bb")]
    row = table.row("bb", 0.9)
    values = [ROWS[t.id]["shown"][NAMES[0]] for t in TASKS if (t.policy, t.at) == ("bb", 0.9)]
    assert row.metrics[NAMES[0]].mean == pytest.approx(np.mean(values))
    assert row.gaps[NAMES[0]].estimate.mean == pytest.approx(0.2)
    assert row.gaps[NAMES[0]].label == "least (pathwise, certified)"
    assert row.replications == table.replications == 3


def test_unequal_replications_are_said():
    """Claim: an unfinished table says that rows differ in replications, and ranks none that lacks paths, by name."""
    short = [row for task, row in ROWS.items() if task != TASKS[-1].id]
    (table,) = gap_tables(paired(planned(), tables(short))).values()
    assert any("2 to 3 replications" in notice for notice in table.notices)
    kept = [(row.load, bool(row.values), bool(row.gaps[NAMES[0]].values)) for row in table.rows]
    assert kept == [(0.5, True, True), (0.5, True, True), (0.9, True, True), (0.9, False, False)]
    assert "not ranked at load 0.9, for lack of paths: bb (2 of 3)" in table.notices


def test_a_failed_task_unranks_its_policy_alone():
    """Claim: without one path of one policy the others are ranked as without that policy; matrix and table name it."""
    tasks = Drawing(first_replications=4, policies=("a", "bb", "ccc")).tasks()
    rows = {task.id: task.compute() for task in tasks}
    short = [row for task, row in rows.items() if task != tasks[-1].id]
    (table,) = gap_tables(paired(planned(tasks), tables(short))).values()
    (without,) = gap_tables(
        paired(planned([task for task in tasks if task.policy != "ccc"]), tables(rows.values()))
    ).values()
    for metric in NAMES:
        matrix = table.matrix(metric)
        marks = [[cell.standing for cell in cells] for cells in matrix.cells]
        assert marks[:2] == [[cell.standing for cell in cells] for cells in without.matrix(metric).cells]
        assert marks[2][1] == "unranked" != marks[2][0]
        assert [column.left_out for column in matrix.columns] == [(), ("ccc",)]
        assert "not ranked at load 0.9: ccc" in matrix.footers()
        assert "note: not ranked at load 0.9, for lack of paths: ccc (3 of 4)" in matrix.footers()


def test_a_gap_that_one_path_lacks_is_said():
    """Claim: where the bound of one path is 0, so that the column has no gap, the table says so; elsewhere nothing."""
    (bound,) = ROWS[TASKS[0].id]["bounds"]
    rows = ROWS | {TASKS[0].id: ROWS[TASKS[0].id] | {"bounds": [bound | {"value": 0.0}]}}
    (table,) = gap_tables(paired(planned(), tables(rows.values()))).values()
    assert [bool(row.gaps) for row in table.rows] == [False, False, True, True]
    assert table.notices == (f"gap on {NAMES[0]} at load 0.5 left out: 1 of 3 paths have no relative bound",)
    (whole,) = gap_tables(paired(planned(), tables(ROWS.values()))).values()
    assert whole.notices == ()


MAPS = st.lists(st.lists(st.tuples(st.sampled_from(["a", "b", "latency_mean_s"]), st.floats()), max_size=4), max_size=9)


@given(MAPS, st.data())
def test_maps_are_taken_apart_however_they_are_chunked(maps, data):
    """Claim: any rows of slices and chunks of a map column, in any order, have the numbers that to_pylist gives."""
    whole = pa.array(maps, pa.map_(pa.string(), pa.float64()))
    start = data.draw(st.integers(0, len(maps)))
    stop = data.draw(st.integers(start, len(maps)))
    column = pa.chunked_array([whole.slice(start, stop - start), whole], whole.type)
    plain = [dict(pairs) for pairs in column.to_pylist()]
    rows = np.array(data.draw(st.lists(st.integers(0, len(plain) - 1))) if plain else [], dtype=np.int64)
    found = Exploded.of(column, rows)
    names = Names.of([found.field(0)])
    entries = Entries.of_maps(found, names)
    keys = (entries.keys // names.stride, names.array[entries.keys % names.stride])
    expected = [(place, name, value) for place, row in enumerate(rows) for name, value in sorted(plain[row].items())]
    assert list(zip(*keys, strict=True)) == sorted(
        [(place, name) for place, name, _ in expected], key=lambda one: (one[0], one[1] != "latency_mean_s", one[1])
    )
    numbers = {(place, name): value for place, name, value in expected}
    assert np.array_equal(entries.values, [numbers[key] for key in zip(*keys, strict=True)], equal_nan=True)


def test_the_table_of_tasks_has_every_place():
    """Claim: finished, failed and missing tasks are told apart."""
    rows = tables([ROWS[TASKS[0].id], ROWS[TASKS[1].id]])
    frame = tasks_frame(planned(), rows, {TASKS[2].id, TASKS[1].id})
    assert list(frame["status"][:4]) == ["done", "done", "failed", "missing"]
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["task"]) == [task.id for task in TASKS]
