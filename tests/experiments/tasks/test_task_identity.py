"""When two tasks are the same: what decides their numbers, and nothing else."""

import json
import pickle
from dataclasses import replace

import pytest

from experiments.spec import ExperimentSpec
from experiments.tasks import BoundTask, code_version, task_id

SPEC = {
    "workloads": ["reference"],
    "fleets": ["reference"],
    "policies": ["sjf"],
    "loads": [0.5],
    "requests": 50,
    "replications": 1,
}

TIER = {"name": "a", "ttft_s": 1.0, "tpot_s": 0.1}


def both(share):
    """Return two tiers."""
    return [TIER | {"share": share}, TIER | {"name": "b", "share": 1 - share}]


NEITHER = {
    "description": {"description": "x"},
    "label of a workload": {"workloads": [{"name": "reference", "label": "x"}]},
    "label of a fleet": {"fleets": [{"hardware": "reference", "label": "x"}]},
    "label of a policy": {"policies": [{"name": "sjf", "label": "x"}]},
    "metrics that are measured anyway": {"metrics": ["latency_mean_s", "utilisation"]},
    "more replications": {"replications": 3},
    "more seeds": {"seeds": [0, 1]},
    "more loads": {"loads": [0.5, 0.7]},
    "more policies": {"policies": ["sjf", "orca"]},
    "precision": {"replications": None, "precision": {"relative": 0.5}},
    "one group": {"fleets": [{"groups": [{"hardware": "reference"}]}]},
    "defaults of groups": {
        "fleets": [
            {"groups": [{"hardware": "reference", "size": 1, "link": {"latency_ms": 0}}], "migration": {"stages": 3}}
        ]
    },
}
RUN_ONLY = {
    "policy": {"policies": ["mc-sf"]},
    "predictor": {"predictors": ["noise:0.5"]},
    "router": {"fleets": [{"hardware": "reference", "router": "random"}]},
    "system": {"policies": ["llumnix"]},
    "setting of a system": {"policies": [{"name": "routed", "settings": {"batcher": "sarathi"}}]},
    "another value of it": {"policies": [{"name": "routed", "settings": {"batcher": "sjf"}}]},
    "another setting": {"policies": [{"name": "routed", "settings": {"router": "random"}}]},
    "warm-up": {"warm_up": "mser-5"},
    "gaps between tokens": {"metrics": ["itl_p99_s", "latency_mean_s"]},
}
BOUND_ONLY = {"fast bounds": {"bounds": "fast"}}
BOTH = {
    "workload": {"workloads": ["p512d20"]},
    "arrivals": {"workloads": [{"name": "reference", "arrivals": "poisson"}]},
    "variation of the gaps": {"workloads": [{"name": "reference", "arrivals": "gamma", "cv": 1.0}]},
    "dropping": {"workloads": [{"name": "reference", "drop_oversized": True}]},
    "a tier": {"workloads": [{"name": "reference", "tiers": [TIER]}]},
    "its TTFT": {"workloads": [{"name": "reference", "tiers": [TIER | {"ttft_s": 2.0}]}]},
    "its TPOT": {"workloads": [{"name": "reference", "tiers": [TIER | {"tpot_s": 2.0}]}]},
    "its name": {"workloads": [{"name": "reference", "tiers": [TIER | {"name": "b"}]}]},
    "two tiers": {"workloads": [{"name": "reference", "tiers": both(0.5)}]},
    "their shares": {"workloads": [{"name": "reference", "tiers": both(0.6)}]},
    "hardware": {"fleets": ["llama2-7b/a100-80g"]},
    "instances": {"fleets": [{"hardware": "reference", "instances": 2}]},
    "memory": {"fleets": [{"hardware": "reference", "kv_memory": 2.0}]},
    "groups": {"fleets": [{"groups": [{"hardware": "reference"}, {"hardware": "reference"}]}]},
    "role": {"fleets": [{"groups": [{"hardware": "reference", "role": "prefill"}, {"hardware": "reference"}]}]},
    "link": {"fleets": [{"groups": [{"hardware": "reference", "link": {"latency_ms": 1}}]}]},
    "off": {"fleets": [{"groups": [{"hardware": "reference", "size": 2, "off": 1}]}]},
    "start-up": {"fleets": [{"groups": [{"hardware": "reference", "start_up_s": 1}]}]},
    "tier": {"fleets": [{"groups": [{"hardware": "reference", "tier": "x"}]}]},
    "migration": {"fleets": [{"groups": [{"hardware": "reference"}], "migration": {"stages": 1}}]},
    "memory of groups": {"fleets": [{"groups": [{"hardware": "reference"}], "kv_memory": 0.5}]},
    "load": {"loads": [0.6]},
    "rate in place of load": {"loads": None, "rates_per_s": [0.5]},
    "scale": {"loads": None, "scales": [1], "load": 0.5},
    "requests": {"requests": 51},
    "seed": {"seeds": [1]},
    "slo": {"slo": {"ttft_s": 1.0, "tpot_s": 0.1}},
}


def first(**changes):
    """Return the first bound task and the first run of a specification."""
    spec = ExperimentSpec(**{name: value for name, value in (SPEC | changes).items() if value is not None})
    bound, run, *_ = spec.tasks()
    assert (bound.kind, run.kind) == ("bound", "serve")
    return bound, run


@pytest.mark.parametrize(
    ("changes", "bound_changes", "run_changes"),
    [
        *((changes, False, False) for changes in NEITHER.values()),
        *((changes, False, True) for changes in RUN_ONLY.values()),
        *((changes, True, False) for changes in BOUND_ONLY.values()),
        *((changes, True, True) for changes in BOTH.values()),
    ],
    ids=[*NEITHER, *RUN_ONLY, *BOUND_ONLY, *BOTH],
)
def test_identity_has_what_matters_and_nothing_else(changes, bound_changes, run_changes):
    """Claim: a task is another one exactly when a field changes that decides its numbers."""
    (bound, run), (other_bound, other_run) = first(), first(**changes)
    assert (bound.id != other_bound.id) == bound_changes
    assert (run.id != other_run.id) == run_changes
    assert (bound == other_bound) == (bound.id == other_bound.id)
    assert (run == other_run) == (run.id == other_run.id)


def test_no_two_changes_are_taken_for_each_other():
    """Claim: every change above gives an id of its own."""
    changed = [first(**changes)[1].id for changes in (RUN_ONLY | BOTH).values()]
    assert len(set(changed)) == len(changed)


def test_settings_mean_what_they_are():
    """Claim: a default that is spelt out and the way a number is written change no task."""
    plain, spelt = (first(policies=[{"name": "routed", "settings": s}])[1] for s in ({}, {"batcher": "vllm-v1"}))
    assert plain == spelt
    assert plain.id == spelt.id
    name, key = "distserve", "waiting_block_prop_threshold"
    one, other = (first(policies=[{"name": name, "settings": {key: value}}])[1] for value in (1, 1.0))
    assert one.id == other.id != first(policies=[name])[1].id


def test_the_share_of_the_only_tier():
    """Claim: all requests are of the only tier, whether its share is given or not."""
    one, other = (first(workloads=[{"name": "reference", "tiers": [tier]}]) for tier in (TIER, TIER | {"share": 1.0}))
    assert one == other


def test_the_router_of_a_policy_is_that_of_a_fleet():
    """Claim: a policy's own router comes before the fleet's, and either way it is the same task."""
    fleet = {"hardware": "reference", "instances": 2}
    own = first(fleets=[fleet], policies=[{"name": "sjf", "router": "random"}])[1]
    shared = first(fleets=[fleet | {"router": "random"}])[1]
    both = first(fleets=[fleet | {"router": "jsq"}], policies=[{"name": "sjf", "router": "random"}])[1]
    assert own.id == shared.id == both.id


def test_identities_are_canonical():
    """Claim: an identity is JSON with sorted keys, and the id hashes it with the version of the code."""
    for task in first():
        facts = json.loads(task.identity)
        assert json.dumps(facts, sort_keys=True, separators=(",", ":")) == task.identity
        assert task.id == task_id(code_version(), task.identity)
        assert task.id != task_id("another version", task.identity)
        assert len(task.id) == 24


def test_tasks_travel():
    """Claim: a task survives pickling, is small, hashable and knows its place."""
    for task in first():
        sent = pickle.dumps(task)
        assert len(sent) < 2_000
        again = pickle.loads(sent)
        assert (again, again.place, again.id) == (task, task.place, task.id)
        assert hash(again) == hash(task)


def test_the_place_is_a_label():
    """Claim: tasks of different places that compute the same are equal."""
    bound, run = first()
    assert replace(run, place=None) == run
    assert replace(bound, place=None).id == bound.id
    assert isinstance(bound, BoundTask)


def test_descriptions_say_what_it_is():
    """Claim: progress and failures name policy, workload, fleet, load, seed and replication."""
    bound, run = first(predictors=["noise:0.5"], fleets=[{"hardware": "reference", "router": "random"}])
    assert (
        run.describe() == "sjf with noise:0.5 behind random on reference on reference, load 0.5, seed 0, replication 0"
    )
    assert bound.describe() == "bounds of reference on reference, load 0.5, seed 0, replication 0"
