"""Chunks of tasks: short ones together, long ones alone, none lost or doubled."""

import time
from dataclasses import dataclass
from itertools import islice

import pytest
from drawing import Draw, Drawing
from hypothesis import given
from hypothesis import strategies as st

from experiments.execution.attempt import Attempt, OtherCodeError
from experiments.execution.chunks import CHUNK_S, LEAST_S, Chunks, Timed, attempt_all
from experiments.tasks import code_version


def timed(task, seconds):
    return Timed(Attempt(task.id, b""), seconds)


def worked(chunks, seconds, chunk):
    """What a worker does with a chunk when each task takes what `seconds` says."""
    found, spent = [], 0.0
    for task in chunk:
        if found and spent >= CHUNK_S:
            break
        found.append(timed(task, seconds(task)))
        spent += seconds(task)
    chunks.took(chunk, found)
    return [one.attempt.task for one in found]


def test_chunks_grow_to_half_a_second_of_short_tasks():
    """Claim: the first of each label goes alone; then as many as take half a second go together."""
    tasks = Drawing(600).tasks()
    labels = 6  # two places, each with bounds and two policies
    chunks = Chunks(iter(tasks))
    for _ in range(labels):
        chunk = chunks.following()
        assert len(chunk) == 1
        worked(chunks, lambda task: 0.01, chunk)
    assert len(chunks.following()) == pytest.approx(CHUNK_S / 0.01, abs=1)
    sizes = []
    while chunk := chunks.following():
        sizes.append(len(worked(chunks, lambda task: 0.0, chunk)))
    assert max(sizes) == pytest.approx(CHUNK_S / LEAST_S, abs=1)


def test_a_long_task_goes_alone_however_short_the_others_are():
    """Claim: only those with the labels of long tasks are long; none is ever in a chunk with another."""
    tasks = Drawing(50).tasks()
    chunks = Chunks(iter(tasks))
    sizes = {"bb": set(), "others": set()}
    while chunk := chunks.following():
        long = [task for task in chunk if task.policy == "bb"]
        sizes["bb" if long else "others"].add(len(chunk))
        assert not long or len(chunk) == 1
        worked(chunks, lambda task: 60.0 if task.policy == "bb" else 0.001, chunk)
    assert (sizes["bb"], max(sizes["others"])) == ({1}, 2)


def test_a_slow_first_task_is_forgotten():
    """Claim: what the first task takes to load a workload does not keep its likes apart."""
    chunks = Chunks(iter(Drawing(600, policies=()).tasks()))
    for number in range(2):
        worked(chunks, lambda task, took=3.0 if number == 0 else 0.001: took, chunks.following())
    sizes = []
    while chunk := chunks.following():
        sizes.append(len(worked(chunks, lambda task: 0.001, chunk)))
    assert max(sizes) > 100


@given(st.data())
def test_every_task_is_attempted_exactly_once_whatever_is_slow_or_lost(data):
    """Claim: across returned ends of chunks and lost chunks, each task is finished or blamed, exactly once."""
    tasks = Drawing(data.draw(st.integers(0, 12))).tasks()
    took = {task.id: data.draw(st.sampled_from([0.0, 0.01, 0.2, 0.7])) for task in tasks}
    chunks, flying, done = Chunks(iter(tasks)), [], []
    while True:
        chunk = chunks.following() if len(flying) < 4 else []
        if chunk:
            flying.append(chunk)
            continue
        if not flying:
            break
        one = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
        if data.draw(st.sampled_from([False, False, True])):
            blamed = chunks.lost(one)
            assert (blamed is None) == (len(one) > 1)
            done += [] if blamed is None else [blamed.id]
        else:
            done += worked(chunks, lambda task: took[task.id], one)
    assert sorted(done) == sorted(task.id for task in tasks)


def test_tasks_of_a_lost_chunk_go_alone_one_at_a_time():
    """Claim: so that one that kills its workers fails for itself only; other tasks go on meanwhile."""
    chunks = Chunks(iter(Drawing(200, policies=()).tasks()))
    while len(lost := chunks.following()) < 5:
        worked(chunks, lambda task: 0.0, lost)
    assert chunks.lost(lost) is None
    for task in lost:
        assert chunks.following() == [task]
        others = chunks.following()
        assert not {one.id for one in others} & {one.id for one in lost}
        worked(chunks, lambda task: 0.0, others) if others else None
        assert chunks.lost([task]) is task


def test_tasks_are_read_as_they_are_handed_out():
    """Claim: nothing is read ahead but the task that begins the next chunk: what others finish can be left out."""
    read, handed = [], 0
    chunks = Chunks(task for task in Drawing(60).tasks() if not read.append(task))
    while chunk := chunks.following():
        handed += len(chunk)
        assert handed <= len(read) <= handed + 1
        worked(chunks, lambda task: 0.02, chunk)


@dataclass(frozen=True)
class Slow(Draw):
    """A task that takes a while."""

    def compute(self):
        time.sleep(0.2)
        return super().compute()


def test_a_worker_stops_after_half_a_second():
    """Claim: tasks that take longer than expected come back unattempted, at least one is attempted."""
    tasks = [Slow("a", 0.5, replication) for replication in range(50)]
    found = attempt_all(tasks, code_version())
    assert [one.attempt.task for one in found] == [task.id for task in islice(tasks, len(found))]
    assert 1 <= len(found) <= 4
    assert all(one.took_s >= 0.2 and one.attempt.part is not None for one in found)


def test_other_code_is_refused_by_a_chunk_too():
    """Claim: nothing is computed by a worker of another version."""
    with pytest.raises(OtherCodeError):
        attempt_all([Draw("a", 0.5, 0)], "f" * 24)
