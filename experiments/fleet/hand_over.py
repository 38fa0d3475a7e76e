"""Whether the KV caches that groups of a fleet hand to each other are of use there, and can be sent."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

from orsched.catalogue import MOST_NAME, Hardware
from orsched.devices.model_files import find_model
from orsched.devices.model_shape import ModelConfig
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role


def has_roles(fleet: Fleet) -> bool:
    """Whether a group hands requests over as part of what it is."""
    return any(group.role is not Role.MIXED for group in fleet.groups)


def require_one_model(fleet: Fleet, cause: str, field: str = "groups") -> None:
    """Refuse `cause`, which hands KV caches from group to group, on a fleet of different models.

    Models differ where the bytes of a KV token are known and differ, or where the shapes that the names of the
    hardware stand for do (two models may have KV tokens of the same size).

    Raises
    ------
    InputError
        Naming two groups.
    """
    kinds = [group.hardware for group in fleet.groups]
    for (i, one), (j, other) in combinations(enumerate(kinds), 2):
        if _differ(one, other):
            raise InputError(
                f"{field}.{i} ({one.name}) and {field}.{j} ({other.name}) run different models, and {cause}: the KV "
                "cache of one model is none of another"
            )


def require_sendable(fleet: Fleet, field: str = "groups") -> None:
    """Refuse links of finite bandwidth for finished prompts whose KV tokens have no known size.

    Raises
    ------
    InputError
        Naming the link.
    """
    for row, source in enumerate(fleet.groups):
        if source.role is not Role.PREFILL or source.hardware.kv_bytes_per_token is not None:
            continue
        for place, group in enumerate(fleet.groups):
            if (place == row or group.role is Role.DECODE) and group.link.bytes_per_s < math.inf:
                raise InputError(
                    f"{field}.{place}.link: a finite bandwidth needs the bytes of a KV token, which hardware "
                    f"{source.hardware.name!r} ({field}.{row}) does not say: give its file kv_bytes_per_token, or "
                    "leave the bandwidth out"
                )


def _differ(one: Hardware, other: Hardware) -> bool:
    sizes = (one.kv_bytes_per_token, other.kv_bytes_per_token)
    shapes = (_shape(one), _shape(other))
    return (None not in sizes and sizes[0] != sizes[1]) or (None not in shapes and shapes[0] != shapes[1])


def _shape(hardware: Hardware) -> ModelConfig | None:
    """Architecture of the model of that name, if it is known: what other names and weights of other types share."""
    name = hardware.name.partition("/")[0]
    found = find_model(name) if len(name) <= MOST_NAME else None
    if found is None:
        return None
    return replace(found, name="any", positions=None, dtype_bytes=2.0, source="", confidence="unconfirmed", notes="")
