"""The registry of fleet systems, and the system that is put together from parts."""

from dataclasses import fields, is_dataclass, replace

import pytest

from orsched import SLO, Fleet, Group, hardware, simulate
from orsched.errors import UnknownNameError
from orsched.policy import Information
from orsched.request import RequestClass
from orsched.workloads.catalogue import workload
from policies.fleet_systems import SYSTEMS, fleet_system, fleet_system_names
from policies.registry import get_router
from policies.routed import RoutedSettings

WORK = workload("reference").head(60)
FLEET = Fleet.identical(hardware("reference"), 3)


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_every_system_has_frozen_settings_with_defaults(name):
    """Claim: settings are a frozen dataclass that can be made of nothing; the name is that of the registry."""
    system = fleet_system(name)
    assert system.name == name
    assert is_dataclass(system.settings)
    assert system.settings.__dataclass_params__.frozen
    assert all(hasattr(system.settings(), field.name) for field in fields(system.settings))
    assert "\n" not in system.description


INFORMED = [
    ("routed", {"batcher": "sjf"}, True),
    ("routed", {}, False),
    ("llumnix", {}, False),
    ("llumnix", {"batcher": "sjf"}, True),
    ("ares-like", {}, True),
    ("ares-like", {"forecast": "current"}, False),
    ("ares-like", {"forecast": "none", "batcher": "sjf"}, True),
    ("splitwise", {"lengths": "oracle"}, True),
    ("splitwise", {}, False),
    ("distserve", {}, False),
    ("mooncake", {}, False),
    ("partitioned", {}, False),
    ("slo-admission", {}, False),
    ("polyserve", {}, True),
    ("polyserve-fixed", {}, True),
]


@pytest.mark.parametrize(("name", "given", "informed"), INFORMED)
def test_who_uses_lengths_is_known_before_it_is_built(name, given, informed):
    """Claim: what a system says of its settings is what the policy built with them declares."""
    system, gpu = fleet_system(name), hardware("llama3-8b/a100-80g")
    chosen = system.settings(**given)
    assert system.uses_lengths(chosen) == informed
    apart = Fleet((Group(gpu, 2, "prefill"), Group(gpu, 2, "decode")))
    tiered = replace(WORK, class_id=WORK.class_id * 0, classes=(RequestClass("a", SLO(1.0, 0.1)),))
    fleet = apart if name in ("ares-like", "distserve", "splitwise") else Fleet.identical(gpu, 3)
    built = system.build(tiered, fleet, chosen)
    assert (built.information > Information.NONE) == informed


def test_unknown_systems_are_named_with_the_nearest():
    """Claim: the message suggests."""
    with pytest.raises(UnknownNameError, match="unknown fleet system 'rooted': did you mean 'routed'"):
        fleet_system("rooted")
    assert fleet_system_names() == sorted(SYSTEMS)


def test_routed_is_the_batcher_behind_the_router():
    """Claim: the policy has the parts asked for, says so, and serves."""
    policy = fleet_system("routed").build(WORK, FLEET, RoutedSettings("sarathi", "round-robin"))
    assert policy.route is get_router("round-robin")
    assert (policy.settings["batcher"], policy.settings["router"]) == ("sarathi", "round-robin")
    run = simulate(WORK, FLEET, policy, 1)
    assert run.instance.tolist() == [k % 3 for k in range(60)]


@pytest.mark.parametrize(("batcher", "router"), [("vllm-v9", "jsq"), ("vllm-v1", "jsk")])
def test_parts_that_do_not_exist(batcher, router):
    """Claim: settings check themselves."""
    with pytest.raises(UnknownNameError, match="did you mean"):
        RoutedSettings(batcher, router)
