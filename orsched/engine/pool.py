"""Pools: the instances among which a router chooses."""

from __future__ import annotations

from typing import NamedTuple

from orsched.group import Role


class Pool(NamedTuple):
    """Instances that serve, with certain roles and of one tier.

    Parameters
    ----------
    roles : frozenset of Role
        Roles that belong to it.
    tier : str, optional
        The tier that belongs to it; None: all.
    """

    roles: frozenset[Role]
    tier: str | None = None

    def of_tier(self, tier: str | None) -> Pool:
        """The same with one tier only."""
        return self._replace(tier=tier)


ENTRY = Pool(frozenset((Role.MIXED, Role.PREFILL)))
"""Instances that take new requests."""

DECODERS = Pool(frozenset((Role.DECODE,)))
"""Instances that take requests whose prompt is done elsewhere."""

EVERY = Pool(frozenset(Role))
"""All that serve."""
