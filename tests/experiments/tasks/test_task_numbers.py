"""What tasks compute: the numbers of the gap table in memory, bit for bit, wherever they run."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from experiments.comparison.experiment import Experiment
from experiments.comparison.pathwise_gaps import best_bounds, pathwise_gaps
from experiments.comparison.runner import run_experiment
from experiments.results.schema import row_table
from experiments.spec import ExperimentSpec
from orsched import SLO, Fleet, hardware
from orsched.bound import Bound
from orsched.engine.simulation import simulate
from orsched.errors import InputError
from orsched.metrics import METRICS, measure
from orsched.workloads.catalogue import workload_source

EVERYTHING = [name for name in METRICS if not name.startswith("deadline")]

SETTINGS = {
    "plain": {},
    "predicted": {"predictor": "noise:0.5"},
    "warm-up": {"warm_up": "mser-5", "seed": 7},
    "routed": {"instances": 2, "router": "random"},
    "own router": {"instances": 2},
}


def both(workload="reference", instances=1, router=None, predictor=None, warm_up="none", seed=0):
    """Return an experiment in memory and the specification that says the same."""
    policies, loads, size = ("vllm-v1", "sjf", "wait"), (0.9,), {"requests": 120, "replications": 2}
    slo = SLO(2.0, 0.05)
    fleet = Fleet.identical(hardware("reference"), instances)
    common = {"policies": policies, "loads": loads, "warm_up": warm_up, **size}
    memory = Experiment(
        workload=workload, fleet=fleet, seed=seed, router=router, slo=slo, predictor=predictor, **common
    )
    spec = ExperimentSpec(
        workloads=[workload],
        fleets=[{"hardware": "reference", "instances": instances, "router": router}],
        predictors=["none" if predictor is None else predictor],
        seeds=[seed],
        slo={"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s},
        metrics=EVERYTHING,
        **common,
    )
    return memory, spec


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_tasks_are_the_gap_table_bit_for_bit(changes):
    """Claim: metrics, stability, bounds and gaps of the tasks are exactly those of the experiment in memory."""
    memory, spec = both(**changes)
    paths = {(path.load, path.replication): path for path in run_experiment(memory, workers=1).paths}
    rows = [(task.place, task.compute()) for task in spec.tasks()]
    found = {place.path: bounds_of(row) for place, row in rows if place.kind == "bound"}
    compared = 0
    for place, row in rows:
        path = paths[place.point, place.replication]
        if place.kind == "bound":
            assert [(b.name, b.metric, b.value, b.sense) for b in found[place.path]] == [
                (b.name, b.metric, b.value, b.sense) for b in path.bounds
            ]
            continue
        if row["status"] == "unavailable":
            assert place.policy not in path.outcomes
            continue
        outcome = path.outcomes[place.policy]
        assert row["shown"] == dict(outcome.metrics)
        assert (row["stable"], row["reason"]) == (outcome.stability.stable, outcome.stability.reason)
        assert row["growth_per_s"] == outcome.stability.growth_per_s
        gaps = pathwise_gaps(
            best_bounds(found[place.path]),
            row["metrics"],
            row["comparable"],
            policy=place.policy,
            subject=row["subject"],
            clock_s=row["clock_s"],
        )
        assert gaps == dict(outcome.gaps)
        compared += 1
    assert compared >= 4


def bounds_of(row):
    """Return the bounds of a row, about the row's subject."""
    return [
        Bound(b["name"], b["value"], b["sense"], b["metric"], b["validity"], b["certified"], row["subject"])
        for b in row["bounds"]
    ]


def test_other_processes_compute_the_same_bytes():
    """Claim: a pickled task gives the same row in another process with other hashes of strings, wall time apart."""
    _, spec = both(predictor="noise:0.5")
    tasks = spec.tasks(1)
    code = (
        "import json, pickle, sys\n"
        "tasks = pickle.load(sys.stdin.buffer)\n"
        "print(json.dumps([{k: v for k, v in t.compute().items() if k != 'wall_s'} for t in tasks]))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(tasks), env=environment, capture_output=True, check=True
    )
    here = [{name: value for name, value in task.compute().items() if name != "wall_s"} for task in reversed(tasks)]
    assert done.stdout.decode() == json.dumps(here[::-1]) + "\n"


def test_rows_follow_the_schema():
    """Claim: rows of runs, bounds and policies that cannot run can be stored as they are."""
    spec = ExperimentSpec(
        workloads=["azure-conv"],
        fleets=["llama2-7b/a100-80g"],
        policies=["vllm-v1", "nested-wait"],
        loads=[0.9],
        requests=60,
        replications=1,
    )
    rows = [task.compute() for task in spec.tasks()]
    assert [(row["kind"], row["status"]) for row in rows] == [
        ("bound", "done"),
        ("serve", "done"),
        ("serve", "unavailable"),
    ]
    assert "lower the load" in rows[2]["reason"]
    for task, row in zip(spec.tasks(), rows, strict=True):
        assert row_table(row).num_rows == 1
        assert row["task"] == task.id


def test_rates_and_scales_are_what_they_say():
    """Claim: a rate is that of the path, its load that of the law at that rate, a scale a longer path at one load."""
    spec = {"workloads": ["reference"], "fleets": ["reference"], "policies": ["vllm-v1"], "requests": 80}
    fleet = Fleet.single(hardware("reference"))
    (rate,) = [t for t in ExperimentSpec(**spec, rates_per_s=[3], replications=1).tasks() if t.kind == "serve"]
    assert rate.scene().workload.rate_per_s == pytest.approx(3, rel=1e-12)
    law = workload_source("reference").whole().at_rate(3.0).load_on(fleet)
    assert rate.compute()["load"] == pytest.approx(law, rel=1e-12)
    scaled = ExperimentSpec(**spec, scales=[1, 4], load=0.7, replications=1, bounds="none").tasks()
    for task, requests in zip(scaled, (80, 320), strict=True):
        row, path = task.compute(), task.scene().workload
        assert (row["axis"], row["requests"], len(path), row["load"]) == ("scale", requests, requests, 0.7)
        assert path.load_on(fleet) == pytest.approx(0.7, rel=1e-9)


def test_the_load_of_a_rate_is_the_same_for_all_paths():
    """Claim: rows of runs and of bounds at a rate carry one load, that of the whole workload."""
    spec = {"workloads": ["azure-conv"], "fleets": ["llama2-7b/a100-80g"], "policies": ["vllm-v1"], "requests": 60}
    tasks = ExperimentSpec(**spec, rates_per_s=[4.7], replications=2, seeds=[0, 1], bounds="fast").tasks()
    fleet = Fleet.single(hardware("llama2-7b/a100-80g"))
    law = workload_source("azure-conv").whole().at_rate(4.7).load_on(fleet)
    assert {task.compute()["load"] for task in tasks} == {law}
    drawn = {task.scene().workload.load_on(fleet) for task in tasks if task.kind == "serve"}
    assert len(drawn) == 4
    assert law not in drawn


def test_renewal_arrivals_keep_the_requests():
    """Claim: other arrivals are of the same requests in the same order, with the given variation of the gaps."""
    spec = ExperimentSpec(
        workloads=[
            {"name": "azure-conv"},
            *({"name": "azure-conv", "arrivals": "gamma", "cv": cv, "label": f"{cv}"} for cv in (0.0, 0.5, 3.0)),
            {"name": "azure-conv", "arrivals": "poisson"},
        ],
        fleets=["llama2-7b/a100-80g"],
        policies=["vllm-v1"],
        loads=[0.7],
        requests=5_000,
        replications=1,
        bounds="none",
    )
    recorded, *renewed = [task.scene().workload for task in spec.tasks()]
    for path, cv in zip(renewed, (0.0, 0.5, 3.0, 1.0), strict=True):
        np.testing.assert_array_equal(path.input_tokens, recorded.input_tokens)
        np.testing.assert_array_equal(path.output_tokens, recorded.output_tokens)
        gaps = np.diff(path.arrival_s)
        assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.1, abs=1e-9)


def test_memory_is_a_multiple_of_the_catalogue():
    """Claim: half of the KV memory is half of the tokens, at the same speed."""
    spec = ExperimentSpec(
        workloads=["reference"],
        fleets=[{"hardware": "reference", "kv_memory": factor} for factor in (1.0, 0.5)],
        policies=["vllm-v1"],
        loads=[0.5],
        requests=50,
        replications=1,
        bounds="none",
    )
    whole, half = (task.scene().fleet.hardware for task in spec.tasks())
    assert half.kv_capacity_tokens == whole.kv_capacity_tokens // 2
    assert half.service == whole.service


def test_the_scene_is_what_is_computed():
    """Claim: simulating the scene gives the metrics of the row."""
    (task, *_) = [task for task in both()[1].tasks() if task.kind == "serve"]
    row = task.compute()
    assert measure(simulate(*task.scene(), token_gaps=True), task.slo) == row["metrics"]


def test_quantiles_are_those_of_the_metrics():
    """Claim: a row's percentiles are the metrics' own, from the least to the largest value, after the warm-up."""
    _, spec = both(warm_up="fixed-10%")
    row = next(task for task in spec.tasks() if task.kind == "serve").compute()
    for name, values in row["quantiles"].items():
        assert len(values) == 101
        assert values == sorted(values)
        for percent in (50, 90, 99):
            assert values[percent] == row["shown"][name.replace("_s", f"_p{percent}_s")]


def test_a_policy_that_cannot_run_has_no_scene():
    """Claim: asking for the scene of a policy that cannot run there says why."""
    spec = ExperimentSpec(
        workloads=["azure-conv"], fleets=["llama2-7b/a100-80g"], policies=["nested-wait"], loads=[0.9], requests=50
    )
    with pytest.raises(InputError, match=r"nested-wait on azure-conv .*lower the load"):
        next(task for task in spec.tasks() if task.kind == "serve").scene()


def test_paths_do_not_depend_on_the_specification():
    """Claim: the path of a seed and replication is the source's own draw, whatever else the experiment holds."""
    from experiments.paths.streams import Stream, generator

    task = both(seed=3)[1].tasks()[-1]
    drawn = workload_source("reference").draw(120, generator(3, Stream.WORKLOAD, 1))
    assert task.scene().workload.input_tokens.tolist() == drawn.input_tokens.tolist()
