"""Subjects tell apart what must not be compared, and nothing else."""

from dataclasses import replace

from fluid import bounds, subject
from orsched.catalogue import Hardware
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.workloads import Workload

WORK = Workload.of([0, 1], [5, 6], [3, 4], name="a")
HW = Hardware("gpu", Affine(1.0, 0.1, 0.1, 0.1), 100)


def test_what_matters_changes_the_subject():
    base = subject(WORK, Fleet.identical(HW))
    others = [
        subject(Workload.of([0, 1.5], [5, 6], [3, 4]), Fleet.identical(HW)),
        subject(Workload.of([0, 1], [5, 7], [3, 4]), Fleet.identical(HW)),
        subject(Workload.of([0, 1], [5, 6], [3, 5]), Fleet.identical(HW)),
        subject(WORK, Fleet.identical(HW, 2)),
        subject(WORK, Fleet.identical(replace(HW, kv_capacity_tokens=101))),
        subject(WORK, Fleet.identical(replace(HW, max_num_seqs=255))),
        subject(WORK, Fleet.identical(replace(HW, block_tokens=2))),
        subject(WORK, Fleet.identical(replace(HW, keeps_preempted_kv=True))),
        subject(WORK, Fleet.identical(replace(HW, service=Affine(1.0, 0.1, 0.1, 0.2)))),
    ]
    assert len({base, *others}) == 1 + len(others)


def test_what_does_not_matter_does_not():
    assert subject(WORK.with_name("b"), Fleet.identical(HW)) == subject(WORK, Fleet.identical(HW))
    again = Workload.of([0, 1], [5, 6], [3, 4], class_id=[0, 0])
    assert subject(again, Fleet.identical(replace(HW, source="elsewhere"))) == subject(WORK, Fleet.identical(HW))


def test_every_bound_carries_it():
    assert {b.subject for b in bounds(WORK, Fleet.identical(HW))} == {subject(WORK, Fleet.identical(HW))}
