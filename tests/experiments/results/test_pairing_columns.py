"""Pairing by columns gives, number for number, what a plain loop over places gives."""

import pandas as pd
import pyarrow as pa
import pytest
from drawing import Draw
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.comparison.pathwise_gaps import best_bounds, pathwise_gaps
from experiments.results.finished import finished
from experiments.results.pairing import paired
from experiments.results.place import Place
from experiments.results.plan import Plan
from experiments.results.schema import SCHEMA, row_table
from experiments.results.tidy import BOUNDS, TIDY, bounds_frame, tidy_frame
from orsched.bound import Bound
from orsched.errors import MismatchError
from orsched.metrics import METRICS

NAMES = ("latency_mean_s", "throughput_requests_per_s", "ttft_p99_s", "b_of_ours", "a_of_ours")
ORDER = [*METRICS, "a_of_ours", "b_of_ours"]
SERVED = Draw("a", 0.5, 0, code="c").compute()
BOUNDING = Draw(None, 0.5, 0, code="c").compute()

values = st.one_of(st.floats(0.5, 4), st.sampled_from([1.0, 2.0, 0.1]))
metrics = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)
bounds = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["x", "y", "z"]),
            "metric": st.sampled_from([*NAMES, "never_measured"]),
            "sense": st.sampled_from(["lower", "upper"]),
            "value": st.one_of(st.sampled_from([0.0, -1.0, 0.5, 1.0, 2.0]), st.floats(0.01, 9)),
            "validity": st.sampled_from(["pathwise", "fluid", "asymptotic"]),
            "certified": st.booleans(),
        }
    ),
    max_size=6,
)


@st.composite
def experiments(draw, honest):
    """A plan, and what is finished of it in any order; where `honest`, no pathwise bound is beaten."""
    places, rows = [], {}
    for path in range(draw(st.integers(0, 3))):
        of_path = [one for one in draw(bounds) if not honest or one["validity"] != "pathwise"]
        for number in range(draw(st.integers(0, 2))):
            task = f"{path}{number}".ljust(24, "b")
            row = {
                "task": task,
                "subject": f"path {path}",
                "bounds": of_path if number else draw(bounds) if not honest else [],
            }
            places.append((task, Place("bound", "w", "f", None, None, "load", 0.5 + path, 0, 0, 50)))
            rows[task] = BOUNDING | row
        for number in range(draw(st.integers(0, 3))):
            task = f"{path}{number}".ljust(24, "a")
            label = Place(
                "serve", "w", "f", f"p{number}", draw(st.sampled_from([None, "q"])), "load", 0.5 + path, 0, 0, 50
            )
            whole = draw(metrics)
            shown = draw(st.one_of(st.just(whole), metrics))
            row = {
                "task": task,
                "subject": f"path {path if honest else draw(st.sampled_from([path, path, 9]))}",
                "metrics": whole,
                "shown": shown,
                "comparable": draw(st.lists(st.sampled_from(NAMES), max_size=5)),
                "stable": draw(st.sampled_from([True, False, None])),
                "information": draw(st.sampled_from([None, "lengths"])),
                "clock_s": draw(st.sampled_from([None, 1.0, 1e6])),
                "reason": draw(st.sampled_from(["", "level"])),
                "notices": draw(st.lists(st.sampled_from(["n", "m"]), max_size=2)),
            }
            places += [(task, label), (task, label._replace(policy="again"))][: draw(st.integers(1, 2))]
            rows[task] = SERVED | row
    kept = draw(st.permutations([task for task in rows if draw(st.integers(0, 9))]))
    cut = draw(st.integers(0, len(kept)))
    tables = [[row_table(rows[task]) for task in some] for some in (kept[:cut], kept[cut:])]
    chunks = [pa.concat_tables(some).combine_chunks() for some in tables if some]
    table = pa.concat_tables(chunks) if chunks else SCHEMA.empty_table()
    return Plan.of("spec", "code", draw(st.permutations(places))), table, {task: rows[task] for task in kept}


def plainly(plan, rows):
    """Yield place, row, bounds of the path, best of them and gaps, one place after the other."""
    of_paths = {}
    for task, place in plan.places():
        if place.kind == "bound" and task in rows:
            of_paths[place.path] = tuple(Bound(subject=rows[task]["subject"], **one) for one in rows[task]["bounds"])
    for task, place in plan.places():
        if place.kind == "serve" and task in rows:
            row, found = rows[task], of_paths.get(place.path, ())
            best = best_bounds(found)
            gaps = pathwise_gaps(
                best,
                row["metrics"],
                row["comparable"],
                policy=place.policy,
                subject=row["subject"],
                clock_s=row["clock_s"] or 0.0,
            )
            yield task, place, row, found, best, gaps


def tidy_rows(plan, rows):
    for task, place, row, _, best, gaps in plainly(plan, rows):
        names = sorted(row["metrics"].keys() | row["shown"].keys(), key=ORDER.index)
        for metric in ([] if row["metrics"] else [None]) + names:
            bound = best.get(metric)
            yield (
                *(place.workload, place.fleet, place.policy, row["information"] or "", place.predictor),
                *(place.axis, place.point, place.seed, place.replication, place.requests, metric),
                *(row["shown"].get(metric), row["metrics"].get(metric), gaps.get(metric)),
                *((None,) * 4 if bound is None else (bound.name, bound.value, bound.validity, bound.certified)),
                *(row["status"], row["stable"], row["reason"], task),
            )


def framed(rows, kinds):
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    types = {"str": "object"}
    return pd.DataFrame(
        {
            name: pd.Series(column, dtype=types.get(kind, kind))
            for (name, kind), column in zip(kinds.items(), columns, strict=True)
        }
    )


@settings(max_examples=50)
@given(experiments(honest=True))
def test_the_tidy_table_is_that_of_a_plain_loop(experiment):
    """Claim: equal frames, types included, and equal bytes, in whatever order and chunks the tasks are stored."""
    plan, table, rows = experiment
    found, expected = tidy_frame(paired(plan, table)), framed(tidy_rows(plan, rows), TIDY)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert found.to_csv() == expected.to_csv()
    bounding = [(task, place) for task, place in plan.places() if place.kind == "bound" and task in rows]
    of_bounds = [
        (
            *(place.workload, place.fleet, place.axis, place.point, place.seed, place.replication, place.requests),
            *(one[name] for name in ("metric", "name", "sense", "value", "validity", "certified")),
            task,
        )
        for task, place in bounding
        for one in rows[task]["bounds"]
    ]
    pd.testing.assert_frame_equal(bounds_frame(plan, table), framed(of_bounds, BOUNDS), check_exact=True)


@settings(max_examples=40)
@given(experiments(honest=True))
def test_places_one_by_one_are_those_of_a_plain_loop(experiment):
    """Claim: what the gap tables are made of, the order of metrics and bounds included."""
    plan, table, rows = experiment
    pairs = paired(plan, table)
    for one, (_, place, row, bounds_of_path, best, gaps) in zip(finished(pairs), plainly(plan, rows), strict=True):
        assert (one.place, one.is_bounded) == (place, bool(bounds_of_path))
        assert list(one.best.items()) == list(best.items())
        assert list(one.gaps.items()) == list(gaps.items())
        assert list(one.shown.items()) == sorted(row["shown"].items(), key=lambda item: ORDER.index(item[0]))
        known = (one.status, one.reason, one.stable, one.load, one.settings, one.notices)
        names = ("status", "reason", "stable", "load", "settings", "notices")
        assert known == tuple(tuple(row[name]) if name == "notices" else row[name] for name in names)
        assert (one.information, one.growth_per_s) == (row["information"] or "", row["growth_per_s"])


def outcome(make):
    """What `make` returns, and what it raises."""
    try:
        return make(), ""
    except MismatchError as error:
        return None, str(error)


@settings(max_examples=80)
@given(experiments(honest=False))
def test_what_is_wrong_is_said_as_by_a_plain_loop(experiment):
    """Claim: a beaten pathwise bound or one of another subject raises the very error of the first such place."""
    plan, table, rows = experiment
    expected, said = outcome(lambda: framed(tidy_rows(plan, rows), TIDY))
    found, also_said = outcome(lambda: tidy_frame(paired(plan, table)))
    assert said == also_said
    if not said:
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_bound_that_is_no_number_is_refused():
    """Claim: as where it was computed, and it is named."""
    bound = {"name": "x", "metric": NAMES[0], "sense": "lower", "validity": "fluid", "certified": False}
    row = BOUNDING | {"bounds": [bound | {"value": 1.0}, bound | {"value": float("nan"), "name": "broken"}]}
    plan = Plan.of("spec", "code", [(row["task"], Place("bound", "w", "f", None, None, "load", 0.5, 0, 0, 50))])
    with pytest.raises(Exception, match="bound 'broken' on latency_mean_s has value nan"):
        paired(plan, row_table(row))
