"""The experiments that come with the program."""

import pytest

from experiments.reproductions.wait.device import anchored_fleet
from experiments.spec import ready_names, ready_spec
from orsched.workloads.catalogue import workload_names
from proofs_check.heavy_traffic import SCALES


def test_the_promised_ones_are_there():
    """Claim: demo, heavy traffic, every bundled workload, three sensitivities, speed and a reproduction are ready."""
    promised = {"demo", "heavy-traffic", "bundled-traces", "prediction-error", "memory", "burstiness", "speed"}
    assert promised | {"wait-paper", "disaggregation"} <= set(ready_names())


@pytest.mark.parametrize("name", ready_names())
def test_ready_experiments_run(name):
    """Claim: every ready experiment can be run, says what it is, and its first run gives every metric it shows."""
    spec = ready_spec(name)
    assert spec.description != "experiment"
    spec.require_runnable()
    served = next(task for task in spec.tasks(1) if task.kind == "serve")
    row = served.compute()
    assert row["status"] == "done"
    assert set(spec.metrics) <= set(row["shown"])


def test_all_bundled_workloads_are_compared():
    """Claim: the comparison leaves no workload out."""
    assert [entry.name for entry in ready_spec("bundled-traces").workloads] == workload_names()


def test_heavy_traffic_has_the_scales_of_the_study():
    """Claim: the ready experiment and the study of exponents agree on the scales."""
    assert ready_spec("heavy-traffic").scales == SCALES


def test_speed_is_the_benchmark():
    """Claim: it is 8 policies x 5 loads x 20 replications x 10,000 requests, with bounds."""
    spec = ready_spec("speed")
    sizes = (len(spec.policies), len(spec.points), spec.replications, spec.requests)
    assert sizes == (8, 5, 20, 10_000)
    assert spec.bounds != "none"


def test_disaggregation_splits_what_it_has():
    """Claim: six instances together and in three ways apart, then mixed hardware; every policy runs somewhere."""
    spec = ready_spec("disaggregation").model_copy(update={"requests": 50})
    tasks = [task for task in spec.tasks(1) if task.kind == "serve" and task.place.point == 25.0]
    fleets = {task.place.fleet: task.path.fleet for task in tasks}
    same, mixed = list(fleets.values())[:4], list(fleets.values())[4:]
    assert [fleet.fleet().size for fleet in same] == [6, 6, 6, 6]
    assert {fleet.fleet().hardware.name for fleet in same} == {"llama3-8b/a100-80g"}
    assert [fleet.has_load for fleet in mixed] == [False]
    served = {task.place.policy for task in tasks if task.compute()["status"] == "done"}
    assert served == {entry.shown for entry in spec.policies}


def test_wait_paper_has_the_device_of_the_reproduction():
    """Claim: the hardware file of the ready experiment has the very coefficients that the reproduction fits."""
    (task, *_) = ready_spec("wait-paper").tasks(1)
    ours, theirs = task.path.fleet.fleet().hardware, anchored_fleet().hardware
    for field in ("kv_capacity_tokens", "max_num_seqs", "block_tokens"):
        assert getattr(ours, field) == getattr(theirs, field)
    times = [name for name in type(ours.service).__slots__ if name.endswith("_s") or name == "hinge_tokens"]
    assert len(times) > 5
    for name in times:
        assert getattr(ours.service, name) == getattr(theirs.service, name), name
