"""The fleet systems that are routers with settings: mooncake, partitioned, slo-admission."""

from dataclasses import replace

import numpy as np
import pytest

from orsched import SLO, Fleet, Group, RequestClass, hardware, simulate
from orsched.errors import InputError
from orsched.workloads.catalogue import workload
from policies.fleet_systems import fleet_system

GPU = replace(hardware("reference"), kv_bytes_per_token=1e5, keeps_preempted_kv=True, keeps_prefixes=True)
CLASSES = (RequestClass("chat", SLO(1.0, 0.05)), RequestClass("code"))
WORK = replace(workload("reference").head(80), classes=CLASSES, class_id=np.arange(80) % 2)
APART = Fleet((Group(GPU, 2, "prefill"), Group(GPU, 2, "decode")))
TIERS = Fleet((Group(GPU, 2, tier="fast"), Group(GPU, 2, tier="slow")))


def served(name, fleet, **settings):
    """Run the system with these settings; returns the run and the policy."""
    system = fleet_system(name)
    policy = system.build(WORK, fleet, system.settings(**settings))
    assert policy.name == name
    assert settings.items() <= policy.settings.items()
    return simulate(WORK, fleet, policy, 1, check=True), policy


@pytest.mark.parametrize("name", ["mooncake", "partitioned", "slo-admission"])
@pytest.mark.parametrize("fleet", [APART, TIERS], ids=["apart", "tiers"])
def test_everybody_is_served_or_rejected(name, fleet):
    """Claim: with default settings, on fleets with roles and with tiers."""
    run, _ = served(name, fleet)
    assert np.array_equal(np.isfinite(run.completion_s), run.rejected == 0)


def test_partitioned_keeps_the_classes_apart():
    """Claim: named tiers are used as named."""
    run, _ = served("partitioned", TIERS, tiers=("slow", "fast"), router="round-robin")
    assert set(run.instance[::2]) == {2, 3}
    assert set(run.instance[1::2]) == {0, 1}


def test_partitioned_finds_the_tiers_by_the_names_of_the_classes():
    """Claim: groups in another order than the classes change nothing, and a class without a tier is refused."""
    turned = Fleet((Group(GPU, 2, tier="code"), Group(GPU, 2, tier="chat")))
    run, _ = served("partitioned", turned)
    assert set(run.instance[::2]) == {2, 3}
    half = Fleet((Group(GPU, 2, tier="code"), Group(GPU, 2, tier="other")))
    with pytest.raises(InputError, match="'chat'"):
        served("partitioned", half)


def test_refused_requests_are_best_effort_or_rejected():
    """Claim: an objective that nobody can keep: all of that class are rejected, or nobody."""
    hopeless = replace(WORK, classes=(RequestClass("chat", SLO(1e-6, 1e-6)), CLASSES[1]))
    system = fleet_system("slo-admission")
    for refused, rejected in (("rejected", 40), ("best-effort", 0)):
        policy = system.build(hopeless, TIERS, system.settings(refused=refused))
        assert simulate(hopeless, TIERS, policy).rejected.sum() == rejected


def test_mooncake_limits_are_for_classes_without_an_objective():
    """Claim: with impossible limits the class without an objective is rejected, the other one keeps its own."""
    run, _ = served("mooncake", APART, ttft_s=1e-6, tbt_s=1e-6)
    assert run.rejected[1::2].all()
    assert not run.rejected[::2].all()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mooncake", {"ttft_s": 1.0}, "give both or neither"),
        ("mooncake", {"ttft_s": 1.0, "tbt_s": -1.0}, "MooncakeSettings.tbt_s = -1.0"),
        ("mooncake", {"threshold": 0.0}, "MooncakeSettings.threshold = 0.0"),
        ("mooncake", {"batcher": "vllm-v9"}, "did you mean"),
        ("partitioned", {"tiers": ()}, "ClassPartition.tiers = ()"),
        ("partitioned", {"router": "jsk"}, "did you mean"),
        ("slo-admission", {"refused": "no"}, "SLOAdmissionSettings.refused = 'no'"),
        ("slo-admission", {"hops": -1}, "SLOAdmission.hops = -1"),
    ],
)
def test_settings_are_checked(name, settings, message):
    """Claim: the message names the field."""
    with pytest.raises(InputError) as error:
        fleet_system(name).settings(**settings)
    assert message in str(error.value)
