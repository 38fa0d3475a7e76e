"""Tasks on fleets of groups: the engine's own numbers, who cannot run, and what has no load."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.findings import open_results
from experiments.findings import run as run_experiment
from experiments.paths.streams import Stream, generator, seed_sequence
from experiments.results.schema import row_table
from experiments.spec import ExperimentSpec
from fluid import bounds
from orsched import Fleet, Group, Link, StagedCopy, hardware, measure, simulate
from orsched.load import load
from orsched.workloads.catalogue import workload_source
from policies import get_router
from policies.fleet_systems import fleet_system
from policies.vllm_v1 import vllm_v1

A100, H100 = "llama3-8b/a100-80g", "llama3-8b/h100-sxm"
LINK = {"bandwidth_gb_per_s": 200, "latency_ms": 0.1}
SPLIT = {
    "groups": [
        {"hardware": A100, "role": "prefill", "link": LINK},
        {"hardware": A100, "size": 2, "role": "decode", "link": LINK},
    ],
    "migration": {"stages": 2},
    "kv_memory": 0.5,
}
MIXED = {"groups": [{"hardware": H100, "role": "prefill"}, {"hardware": A100, "size": 2, "role": "decode"}]}
SPEC = {
    "workloads": ["azure-conv"],
    "fleets": [SPLIT, MIXED],
    "policies": ["vllm-v1", {"name": "vllm-v1", "router": "least-kv"}, "distserve", "orca", "wait"],
    "rates_per_s": [12.0],
    "requests": 120,
    "replications": 1,
}


def rows(**changes):
    """Return the places and rows of a specification."""
    return [(task.place, task.compute()) for task in ExperimentSpec(**(SPEC | changes)).tasks()]


def test_groups_are_served_as_by_the_engine():
    """Claim: the numbers of a task are those of a simulation of that fleet, link, migration and memory."""
    gpu, link = hardware(A100), Link(200e9, 1e-4)
    small = replace(gpu, kv_capacity_tokens=gpu.kv_capacity_tokens // 2)
    fleet = Fleet((Group(small, 1, "prefill", link=link), Group(small, 2, "decode", link=link)), StagedCopy(2))
    path = workload_source("azure-conv").draw(120, generator(0, Stream.WORKLOAD, 0)).at_rate(12.0)
    law = workload_source("azure-conv").whole().at_rate(12.0)
    expected = {
        "vllm-v1": vllm_v1().routed_by(get_router("jsq")),
        "vllm-v1+least-kv": vllm_v1().routed_by(get_router("least-kv")),
        "distserve": fleet_system("distserve").build(law, fleet, fleet_system("distserve").settings()),
    }
    found = {place.policy: row for place, row in rows(fleets=[SPLIT])}
    for name, policy in expected.items():
        run = simulate(path, fleet, policy, seed_sequence(0, Stream.POLICY, 0))
        assert found[name]["metrics"] == measure(run)
        assert found[name]["load"] == pytest.approx(load(12.0, law.work, fleet), rel=1e-12)
    values = [(b.name, b.metric, b.value) for b in bounds(path, fleet)]
    assert [(b["name"], b["metric"], b["value"]) for b in found[None]["bounds"]] == values


def test_who_cannot_run_says_why():
    """Claim: policies that take no transfers, and systems for other fleets, give a row with the reason, no failure."""
    both = {"groups": [{"hardware": A100}, {"hardware": A100, "role": "prefill"}]}
    fleets = {"split": SPLIT, "mixed": MIXED, "plain": {"hardware": A100, "instances": 3}, "nowhere": both}
    found = rows(fleets=[fleet | {"label": label} for label, fleet in fleets.items()], bounds="none")
    for _, row in found:
        assert row_table(row).num_rows == 1
        assert (row["metrics"] == {}) == (row["status"] == "unavailable")
    told = {(p.fleet, p.policy): (row["information"], row["reason"]) for p, row in found if row["status"] != "done"}
    reasons = {
        ("split", "wait"): ("class", "a group of the fleet has role 'prefill': policy 'wait' cannot serve requests"),
        ("mixed", "wait"): ("class", "the fleet mixes hardware"),
        ("plain", "distserve"): (None, "distserve needs prefill and decode groups"),
        ("nowhere", "vllm-v1"): ("none", "policy 'vllm-v1' sends finished prompts to groups of role 'decode'"),
        ("nowhere", "distserve"): (None, "distserve needs prefill and decode groups"),
    }
    for place, (information, reason) in reasons.items():
        assert told[place][0] == information
        assert told[place][1].startswith(reason)
    assert all(fleet == "nowhere" or (fleet, policy) in reasons for fleet, policy in told), told.keys()


def test_mixed_hardware_has_no_load():
    """Claim: on mixed hardware the load is empty, and below load 1 stability is judged by growth."""
    for place, row in rows(fleets=[MIXED]):
        assert row["load"] is None
        if row["status"] == "done" and place.kind == "serve":
            assert row["stable"] is True
            assert "load" not in row["reason"]


def test_a_settled_setting_is_shown():
    """Claim: settings given to a system reach it, and its row has them."""
    table = {"name": "routed", "settings": {"batcher": "sarathi", "router": "random"}}
    ((_, row),) = rows(fleets=[SPLIT], policies=[table], bounds="none")
    assert '"batcher": "sarathi"' in row["settings"]
    assert (row["policy"], row["router"], row["status"]) == ("routed", None, "done")


def test_predicted_lengths_reach_systems():
    """Claim: a system that uses output lengths takes a predictor, one that does not is run without."""
    systems = [{"name": "routed", "settings": {"batcher": name}} for name in ("sjf", "vllm-v1")]
    fleet = {"hardware": A100, "instances": 2}
    found = {
        (p.policy, p.predictor): r
        for p, r in rows(fleets=[fleet], policies=systems, predictors=["none", "noise:2"], bounds="none")
    }
    informed, plain = "routed (batcher=sjf)", "routed (batcher=vllm-v1)"
    assert found[informed, None]["information"] == "oracle"
    assert found[informed, "noise:2"]["information"] == "predicted"
    assert found[informed, None]["metrics"] != found[informed, "noise:2"]["metrics"]
    assert found[plain, None]["metrics"] == found[plain, "noise:2"]["metrics"]


def test_tables_of_mixed_hardware(tmp_path):
    """Claim: gap tables, tidy tables and bounds of mixed hardware are made as of others; rates are no loads."""
    spec = ExperimentSpec(**(SPEC | {"fleets": [MIXED], "replications": 2, "policies": ["vllm-v1", "llumnix"]}))
    findings = run_experiment(spec, out=tmp_path / "found")
    (table,) = findings.gap_tables().values()
    row = table.row("vllm-v1", 12.0)
    assert (row.load, row.stable) == (None, True)
    assert "latency_mean_s" in row.gaps
    assert table.row("llumnix", 12.0).stable is None
    frame = open_results(tmp_path / "found").frame()
    gaps = frame[(frame.policy == "vllm-v1") & frame.gap.notna()].gap
    assert len(gaps) > 10
    assert (gaps >= 0).all()
    assert np.isnan(table.to_frame().load.astype(float)).all()
    assert "load" not in " ".join(table.notices)


def test_overload_of_mixed_hardware_is_unstable():
    """Claim: where even the best instances would be overloaded every policy is unstable, though no load is defined."""
    fleet = {"groups": [{"hardware": H100}, {"hardware": A100}]}
    ((_, row),) = rows(fleets=[fleet], policies=["sjf"], rates_per_s=[150.0], requests=150, bounds="none")
    assert (row["load"], row["stable"]) == (None, False)
    assert row["reason"].startswith("unstable: load >= 2.99")


@pytest.mark.parametrize(
    ("groups", "policy", "reason"),
    [
        ([{"role": "prefill"}, {}], {"name": "partitioned"}, "the fleet has none"),
        ([{"role": "prefill"}, {"role": "decode", "off": 1}], "vllm-v1", "the fleet has all of them off"),
        ([{"off": 1}], "vllm-v1", "all that take new requests are off"),
    ],
)
def test_who_cannot_serve_to_the_end_is_unavailable(groups, policy, reason):
    """Claim: without instances that are on for every part of the work there is a row that says so, and no failure."""
    fleet = {"groups": [{"hardware": A100, **group} for group in groups]}
    ((_, row),) = rows(fleets=[fleet], policies=[policy], bounds="none")
    assert row["status"] == "unavailable"
    assert reason in row["reason"]


def test_controllers_move_nothing_between_models():
    """Claim: on a fleet of two models a policy that may move requests cannot run, one that does not can."""
    fleet = {"groups": [{"hardware": A100}, {"hardware": "llama2-7b/a100-80g"}]}
    llumnix, plain = rows(fleets=[fleet], policies=["llumnix", "vllm-v1"], bounds="none")
    assert llumnix[1]["status"] == "unavailable"
    assert "different models" in llumnix[1]["reason"]
    assert plain[1]["status"] == "done"
