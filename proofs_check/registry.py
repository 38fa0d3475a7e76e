"""All claims by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orsched.errors import unknown_name
from proofs_check import planning_bounds, wait_fluid, wait_theta
from proofs_check.claim import Claim

CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {claim.name: claim for room in (wait_fluid, wait_theta, planning_bounds) for claim in room.CLAIMS}
)


def get_claim(name: str) -> Claim:
    """Look up a claim.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if name not in CLAIMS:
        raise unknown_name("claim", name, CLAIMS)
    return CLAIMS[name]
