"""All claims by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orsched.errors import unknown_name
from proofs_check import (
    bari_rad,
    chen_intervals,
    guldogan_multi_bin,
    jaillet_lower_bounds,
    jaillet_mc_sf,
    kong_svf,
    li_dai_peng_stability,
    nested_wait_memory,
    nested_wait_runs,
    nie_si_zhou_capacity,
    planning_bounds,
    wait_backlog,
    wait_coupling,
    wait_delay_bound,
    wait_fcfs,
    wait_fluid,
    wait_invariant,
    wait_rates,
    wait_theta,
    wait_throughput,
    wang_sorted_f,
)
from proofs_check.claim import Claim

_HOMES = (
    wait_fluid,
    wait_invariant,
    wait_coupling,
    wait_backlog,
    wait_rates,
    wait_throughput,
    wait_fcfs,
    wait_delay_bound,
    wait_theta,
    nested_wait_memory,
    nested_wait_runs,
    jaillet_mc_sf,
    jaillet_lower_bounds,
    li_dai_peng_stability,
    wang_sorted_f,
    chen_intervals,
    guldogan_multi_bin,
    nie_si_zhou_capacity,
    kong_svf,
    bari_rad,
    planning_bounds,
)

CLAIMS: Mapping[str, Claim] = MappingProxyType({claim.name: claim for home in _HOMES for claim in home.CLAIMS})
"""Paper by paper."""


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


def claims_named(name: str) -> list[Claim]:
    """The claim of that name, or all those whose names begin with these words: ``kong``, ``jaillet-mc-sf``.

    Raises
    ------
    UnknownNameError
        When there is none; the message suggests the nearest names.
    """
    if name in CLAIMS:
        return [CLAIMS[name]]
    alike = [claim for other, claim in CLAIMS.items() if other.startswith(f"{name}-")]
    return alike or [get_claim(name)]
