"""The run loop: everything once, kept at once, failures recorded, damage mended."""

import os
import threading
import time
from dataclasses import dataclass

import pytest
from drawing import NAMES, Draw, Drawing, Wanted
from drawn_runs import computations, exported

from experiments.execution.backend import InProcess, Processes, on_this_machine
from experiments.execution.opening import open_for
from experiments.execution.run import execute
from experiments.findings import open_results
from experiments.results.compaction import compact
from experiments.results.folder import ResultsFolder
from experiments.results.parts import encode
from experiments.results.plan import Plan
from experiments.tasks import code_version
from orsched.errors import InputError


def run(spec, out, **options):
    return execute(spec, open_for(spec, out, extend=options.pop("extend", False)), backend=InProcess(), **options)


def test_a_run_computes_every_task_once_and_a_second_run_nothing(tmp_path):
    """Claim: each task is computed once, everything is compacted, and running again computes nothing."""
    spec = Drawing(log=str(tmp_path / "log"))
    first, again = (run(spec, tmp_path / "out") for _ in range(2))
    assert (first.total, first.computed, again.computed) == (24, 24, 0)
    assert set(computations(spec.log).values()) == {1}
    assert open_results(tmp_path / "out").folder.parts.names() == set()


def test_more_replications_compute_only_those_that_are_new(tmp_path):
    """Claim: with --extend, a larger experiment shares what the smaller one computed; the old spec is kept."""
    log = str(tmp_path / "log")
    run(Drawing(2, log=log), tmp_path / "out")
    with pytest.raises(InputError, match="another experiment") as caught:
        run(Drawing(4, log=log), tmp_path / "out")
    assert "--extend" in str(caught.value)
    assert len(open_results(tmp_path / "out").frame()["task"].unique()) == 8
    assert run(Drawing(4, log=log), tmp_path / "out", extend=True).computed == 12
    assert set(computations(log).values()) == {1}
    assert len(list((tmp_path / "out" / "earlier").glob("*.toml"))) == 1
    run(Drawing(4), tmp_path / "new")
    assert exported(tmp_path / "out") == exported(tmp_path / "new")


def test_the_table_does_not_depend_on_who_computed(tmp_path):
    """Claim: one process and two give the same bytes."""
    spec = Drawing()
    run(spec, tmp_path / "one")
    assert execute(spec, open_for(spec, tmp_path / "two"), backend=Processes(2)).computed == 24
    assert exported(tmp_path / "one") == exported(tmp_path / "two")


def test_failures_are_recorded_and_retried_on_request_only(tmp_path):
    """Claim: one failing task stops no other; its traceback is kept; only a retry tries it again, and only it."""
    log, key = tmp_path / "log", tmp_path / "key"
    spec = Drawing(log=str(log), needs=str(key), failing=(("a", 1), ("bb", 2)))
    for attempts, retry in ((1, False), (1, False), (2, True)):
        found = run(spec, tmp_path / "out", retry_failed=retry)
        assert len(found.failures) == 4
        assert {failure.attempts for failure in found.failures} == {attempts}
        failure = found.failures[0]
        assert "there is no" in failure.error
        assert "in compute" in failure.traceback
        assert failure.what.startswith(("a at", "bb at"))
    assert sorted(computations(log).values()) == [1] * 20 + [2] * 4
    key.touch()
    assert run(spec, tmp_path / "out", retry_failed=True).failures == ()
    assert sorted(computations(log).values()) == [1] * 20 + [3] * 4
    assert open_results(tmp_path / "out").failures() == []
    run(Drawing(), tmp_path / "sound")
    assert exported(tmp_path / "out") == exported(tmp_path / "sound")


@pytest.mark.parametrize("damage", ["", '{"task'])
def test_a_damaged_record_of_a_failure_is_no_success(tmp_path, damage):
    """Claim: the task is tried again and counted as failed once more; nothing calls it finished."""
    spec = Drawing(log=str(tmp_path / "log"), needs=str(tmp_path / "key"), failing=(("a", 1),))
    first = run(spec, tmp_path / "out")
    assert (first.total, first.finished, len(first.failures)) == (24, 22, 2)
    victim = first.failures[0].task
    open_results(tmp_path / "out").folder.failed.path(victim).write_text(damage)
    assert victim in {failure.task for failure in open_results(tmp_path / "out").failures()}
    again = run(spec, tmp_path / "out")
    assert (again.finished, again.failures[0].task, again.failures[0].attempts) == (22, victim, 1)
    assert victim in again.damaged[0]
    assert computations(spec.log)[victim] == 2


@dataclass(frozen=True)
class Raising(Draw):
    """A task that raises what it is told to."""

    raised: str = ""

    def compute(self):
        raise {
            "exit": SystemExit(3),
            "lines": ValueError("first\n\nsecond"),
            "bare": KeyError(),
            "syntax": SyntaxError("no", ("a.py", 1, 2, "x y")),
            "long": ValueError("x" * 3_000_000),
        }[self.raised]


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        ("exit", "SystemExit: 3"),
        ("lines", "ValueError: first"),
        ("bare", "KeyError"),
        ("syntax", "SyntaxError: no"),
        ("long", "ValueError: xxx"),
    ],
)
def test_whatever_a_task_raises_is_recorded_in_one_line(tmp_path, raised, error):
    """Claim: also an exit of Python ends its task only; the summary is the type and the first line of the message."""
    (found,) = InProcess().attempts([Raising("a", 0.5, 0, raised=raised)], code_version())
    assert found.part is None
    assert found.error.startswith(error)
    failure = ResultsFolder.create(tmp_path).failed.write(found.task, "a", found.error, found.traceback)
    assert failure.error.startswith(error)
    assert len(failure.error) <= 2_000
    assert "compute" in failure.traceback


def test_a_run_whose_folder_was_extended_meanwhile_stops_and_mixes_nothing(tmp_path):
    """Claim: the plan of the first experiment never comes to stand beside the specification of the second."""
    mine, other, out = Drawing(2), Drawing(3), tmp_path / "out"
    folder = open_for(mine, out)
    open_for(other, out, extend=True)
    with pytest.raises(InputError, match="another experiment here meanwhile"):
        execute(mine, folder, backend=InProcess())
    assert run(other, out).finished == 18
    with pytest.raises(InputError, match="another experiment here meanwhile"):
        execute(mine, folder, backend=InProcess())
    assert (folder.plan().spec, folder.specified()) == (other.key, other.to_toml())


def test_an_earlier_specification_whose_plan_is_lost_has_a_name(tmp_path):
    """Claim: what an extension puts away is found under a name of its own also where the plan is gone."""
    run(Drawing(2), tmp_path / "out")
    (tmp_path / "out" / "plan.parquet").unlink()
    run(Drawing(3), tmp_path / "out", extend=True)
    (earlier,) = (tmp_path / "out" / "earlier").iterdir()
    assert len(earlier.stem) == 12
    assert earlier.read_text() == Drawing(2).to_toml()


@pytest.mark.parametrize("where", ["parts", "segments"])
@pytest.mark.parametrize("how", ["truncated", "changed"])
def test_a_damaged_file_is_named_and_its_tasks_computed_again(tmp_path, where, how):
    """Claim: nothing of it is trusted, nothing else is computed, and the table is the sound one's."""
    spec, log = Drawing(log=str(tmp_path / "log")), tmp_path / "log"
    ids = [task.id for task in spec.tasks()]
    folder = open_for(spec, tmp_path / "out")
    if where == "parts":
        for attempt in InProcess().attempts(spec.tasks(), code_version()):
            folder.parts.write(attempt.task, attempt.part)
        damaged, path = ids[:1], folder.parts.path(ids[0])
    else:
        execute(spec, folder, backend=InProcess())
        damaged, (path,) = ids, folder.segments.paths()
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 8
    path.write_bytes(data if how == "changed" else data[: len(data) // 2])
    found = execute(spec, folder, backend=InProcess())
    assert found.computed == len(damaged)
    assert len(found.damaged) == 1
    assert path.name in found.damaged[0]
    assert {task for task, count in computations(log).items() if count == 2} == set(damaged)
    run(Drawing(), tmp_path / "sound")
    assert exported(tmp_path / "out") == exported(tmp_path / "sound")


def test_two_runners_share_the_work_and_end_with_the_same_bytes(tmp_path):
    """Claim: two runners at once, with compactions in between, end with the table of one; each finishes all."""
    spec = Drawing(10, wait_s=0.005, log=str(tmp_path / "log"))
    found = []
    runners = [threading.Thread(target=lambda: found.append(run(spec, tmp_path / "out"))) for _ in range(2)]
    for runner in runners:
        runner.start()
    folder = open_for(spec, tmp_path / "out")
    while any(runner.is_alive() for runner in runners):
        compact(folder)
        time.sleep(0.3)
    for runner in runners:
        runner.join()
    assert [one.total for one in found] == [60, 60]
    assert sum(one.computed for one in found) < 110, "they hardly share"
    run(Drawing(10), tmp_path / "alone")
    assert exported(tmp_path / "out") == exported(tmp_path / "alone")


def test_results_of_another_version_of_the_code_are_neither_used_nor_lost(tmp_path):
    """Claim: other code is refused with both versions named; what is there can be read; --extend computes anew."""
    old, spec = Drawing(code="f" * 24), Drawing()
    folder = open_for(old, tmp_path / "out")
    folder.write_plan(Plan.of(old.key, old.code, [(task.id, task.place) for task in old.tasks()]), old.to_toml())
    for task in old.tasks():
        folder.parts.write(task.id, encode(task.compute()))
    before = exported(tmp_path / "out")
    with pytest.raises(InputError, match=f"another version of the code.*{old.code}.*{code_version()}"):
        run(spec, tmp_path / "out")
    assert exported(tmp_path / "out") == before
    assert run(spec, tmp_path / "out", extend=True).computed == 24
    assert len(folder.finished()) == 48
    run(spec, tmp_path / "new")
    assert exported(tmp_path / "out") == exported(tmp_path / "new") != before


def test_replications_stop_when_every_mean_is_known_well_enough(tmp_path):
    """Claim: rounds go on until each cell's interval is narrow enough, recompute nothing, resume where they were."""
    spec = Drawing(4, precision=Wanted(0.05), size=100, log=str(tmp_path / "log"))
    found = run(spec, tmp_path / "out")
    assert found.precise.reached
    assert found.precise.widest <= 0.05
    assert 4 < found.precise.replications < 64
    assert found.total == 6 * found.precise.replications
    assert set(computations(spec.log).values()) == {1}
    for table in open_results(tmp_path / "out").gap_tables().values():
        for row in table.rows:
            assert row.metrics[NAMES[0]].relative_half_width <= 0.05
    again = run(spec, tmp_path / "out")
    assert (again.computed, again.precise) == (0, found.precise)


def test_replications_stop_at_the_most_that_is_allowed(tmp_path):
    """Claim: a precision out of reach ends at `most`, and says so."""
    spec = Drawing(4, precision=Wanted(0.001, most=9), size=10)
    found = run(spec, tmp_path / "out")
    assert (found.precise.reached, found.precise.replications, found.total) == (False, 9, 54)


def test_an_unknown_metric_of_a_precision_is_refused(tmp_path):
    """Claim: no endless rounds for a metric that no task measures."""
    with pytest.raises(InputError, match="nonsense"):
        run(Drawing(precision=Wanted(0.1, "nonsense")), tmp_path / "out")


def test_an_unwritable_folder_is_refused_in_one_line(tmp_path):
    """Claim: a folder below a file or in a read-only place gives one clear line."""
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out", "/proc/orsched"):
        with pytest.raises(InputError, match="cannot be written to"):
            open_for(Drawing(), out)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if not os.access(closed, os.W_OK):  # the superuser may write anywhere
        with pytest.raises(InputError, match="cannot be written to"):
            open_for(Drawing(), closed / "out")


def test_workers_are_as_many_as_there_is_work():
    """Claim: one task runs in this process; never more processes than tasks."""
    assert on_this_machine(None, 1) == InProcess()
    assert on_this_machine(8, 1) == InProcess()
    assert on_this_machine(3, 100) == Processes(3)
    assert on_this_machine(3, 2) == Processes(2)
