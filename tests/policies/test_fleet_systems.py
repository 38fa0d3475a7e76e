"""The registry of fleet systems, and the system that is put together from parts."""

from dataclasses import fields, is_dataclass

import pytest

from orsched import Fleet, hardware, simulate
from orsched.errors import UnknownNameError
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
