"""Which policies go with the roles of a fleet."""

from __future__ import annotations

from experiments.fleet.hand_over import has_roles, require_one_model
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Policy


def require_roles(policy: Policy, fleet: Fleet) -> None:
    """Refuse a policy that cannot serve a fleet to the end of its requests as the fleet starts.

    Those with a controller may start instances, change their roles and move requests, so that of them it is asked only
    that they can take requests with their KV cache where groups have roles, and that all groups run the same model.

    Raises
    ------
    InputError
        When the policy cannot take requests with their KV cache, or may move them between different models; or when it
        has no controller and every instance that takes new requests, or finished prompts where some prefill only, is
        off or missing.
    """
    apart = next((group.role for group in fleet.groups if group.role is not Role.MIXED), None)
    if apart is not None:
        policy.require_transfers(f"a group of the fleet has role {str(apart)!r}")
    if policy.control is None:
        _require_served(policy, fleet)
    elif policy.takes_transfers and not has_roles(fleet):  # of fleets with roles that has been asked already
        require_one_model(fleet, f"the controller of policy {policy.name!r} may move requests between groups")


def _require_served(policy: Policy, fleet: Fleet) -> None:
    on = {group.role for group in fleet.groups if group.off < group.size}
    if not on - {Role.DECODE}:
        raise InputError(
            f"policy {policy.name!r} starts no instances, and all that take new requests are off: set off to fewer"
        )
    if Role.PREFILL in on and Role.DECODE not in on:
        state = "all of them off" if any(group.role is Role.DECODE for group in fleet.groups) else "none"
        raise InputError(
            f"policy {policy.name!r} sends finished prompts to groups of role 'decode', and the fleet has {state}: add "
            "one that is on, or leave out role 'prefill'"
        )
