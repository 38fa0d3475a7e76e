"""Tasks whose requests have objectives of their own: the same tiers for everybody, scored and bounded one by one."""

import numpy as np
import pytest

from experiments.fleet.fleet_tables import GroupTable
from experiments.fleet.streams import FleetStream, fleet_generator
from experiments.paths.streams import Stream, generator
from experiments.spec import ExperimentSpec
from fluid import bounds
from orsched import Fleet, hardware, measure, simulate
from orsched.bound import best_bound
from orsched.objectives import Objectives
from orsched.scoring import mean_tpot
from orsched.workloads.catalogue import workload_source

GPU = "llama3-8b/a100-80g"
TIERS = [
    {"name": "chat", "ttft_s": 0.4, "tpot_s": 0.03, "share": 0.7},
    {"name": "batch", "ttft_s": 30.0, "tpot_s": 0.5, "share": 0.3},
]
SPEC = {
    "workloads": [{"name": "azure-conv", "tiers": TIERS}],
    "fleets": [{"hardware": GPU, "instances": 2}],
    "policies": ["vllm-v1", "sarathi", "polyserve"],
    "rates_per_s": [15.0],
    "requests": 300,
    "replications": 2,
    "metrics": ["slo_attainment", "goodput_requests_per_s", "latency_mean_s"],
}


def tasks(**changes):
    """Return the tasks of a specification."""
    return ExperimentSpec(**(SPEC | changes)).tasks()


def served(**changes):
    """Return those that serve."""
    return [task for task in tasks(**changes) if task.kind == "serve"]


def test_everybody_meets_the_same_tiers():
    """Claim: lengths and arrivals are those without tiers, tiers are of one stream, by share, the same for all."""
    first, second, *_, last = served()
    path = first.scene().workload
    assert second.scene().workload == path or (second.scene().workload.class_id == path.class_id).all()
    plain = workload_source("azure-conv").draw(300, generator(0, Stream.WORKLOAD, 0)).at_rate(15.0)
    np.testing.assert_array_equal(path.arrival_s, plain.arrival_s)
    np.testing.assert_array_equal(path.output_tokens, plain.output_tokens)
    drawn = fleet_generator(0, FleetStream.TIERS, 0).choice(2, size=300, p=[0.7, 0.3])
    np.testing.assert_array_equal(path.class_id, drawn)
    assert (last.scene().workload.class_id != path.class_id).any()


def test_each_request_is_judged_by_its_own_objective():
    """Claim: attainment and its bounds are those of the objectives of the tiers, and no policy beats them."""
    for task in served(replications=1):
        row, scene = task.compute(), task.scene()
        run = simulate(*scene)
        objectives = Objectives.of(scene.workload)
        own = [(tier["ttft_s"], tier["tpot_s"]) for tier in TIERS]
        assert list(zip(objectives.ttft_s, objectives.tpot_s, strict=True)) == [own[k] for k in scene.workload.class_id]
        assert row["metrics"]["slo_attainment"] == mean_tpot(run, objectives).mean()
        assert row["metrics"] == measure(run, objectives)
    bound = tasks(replications=1)[0].compute()
    expected = bounds(scene.workload, Fleet.identical(hardware(GPU), 2), objectives)
    assert [b["value"] for b in bound["bounds"]] == [b.value for b in expected]
    assert row["metrics"]["slo_attainment"] <= best_bound(expected, "slo_attainment").value


def test_policies_see_the_objectives():
    """Claim: a system that is about tiers runs on groups that have them; with no objectives it says why it cannot."""
    groups = [GroupTable(hardware=GPU, tier=tier["name"]).model_dump(exclude_none=True) for tier in TIERS]
    fleets = [{"groups": groups}]
    (with_tiers, *_) = [t.compute() for t in served(fleets=fleets, policies=["polyserve"], replications=1)]
    assert with_tiers["status"] == "done", with_tiers["reason"]
    without = served(
        fleets=fleets, policies=["polyserve"], replications=1, workloads=["azure-conv"], metrics=["tpot_p50_s"]
    )
    assert without[0].compute()["status"] == "unavailable"


def test_an_objective_for_those_without_tiers():
    """Claim: beside a workload with tiers the common objective is that of the others alone."""
    found = served(workloads=[*SPEC["workloads"], "p512d20"], slo={"ttft_s": 2.0, "tpot_s": 0.1}, replications=1)
    assert {task.path.workload.name: task.slo is None for task in found} == {"azure-conv": True, "p512d20": False}


def test_labels_name_the_tiers():
    """Claim: the default label of a workload and the name in its rows say shares and objectives."""
    label = "azure-conv, 70% chat (0.4 s, 0.03 s) + 30% batch (30 s, 0.5 s)"
    task = served()[0]
    assert task.place.workload == label == task.path.workload.shown
    assert pytest.approx(0.7, abs=0.1) == (task.scene().workload.class_id == 0).mean()
