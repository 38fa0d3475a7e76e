"""Which policies go with the roles of a fleet."""

from __future__ import annotations

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Policy, least_kv_decoder


def require_roles(policy: Policy, fleet: Fleet) -> None:
    """Refuse a policy that cannot take requests with their KV cache, or never places them, where groups have roles.

    Raises
    ------
    InputError
        Naming the role.
    """
    roles = [group.role for group in fleet.groups]
    apart = next((role for role in roles if role is not Role.MIXED), None)
    if apart is None:
        return
    policy.require_transfers(f"a group of the fleet has role {str(apart)!r}")
    has_nowhere = Role.PREFILL in roles and Role.DECODE not in roles
    if has_nowhere and policy.place is least_kv_decoder and policy.control is None:
        raise InputError(
            f"policy {policy.name!r} sends finished prompts to groups of role 'decode', and the fleet has none: add "
            "one, or leave out role 'prefill'"
        )
