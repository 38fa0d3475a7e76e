"""All claims by name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from orsched.errors import UnknownNameError
from proofs_check import (
    bari_rad,
    chen_intervals,
    guldogan_multi_bin,
    jaillet_lower_bounds,
    jaillet_mc_sf,
    kong_svf,
    li_dai_peng_stability,
    nie_si_zhou_capacity,
    planning_bounds,
    wait,
    wang_sorted_f,
)
from proofs_check.claim import Claim

_HOMES = (
    wait,
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
        raise _unknown(name)
    return CLAIMS[name]


def claims_named(name: str) -> list[Claim]:
    """The claim of that name, or all those whose names begin with these words: ``kong``, ``jaillet-mc-sf``.

    Raises
    ------
    UnknownNameError
        When there is none; the message suggests the nearest names and first words.
    """
    if name in CLAIMS:
        return [CLAIMS[name]]
    alike = [claim for other, claim in CLAIMS.items() if other.startswith(f"{name}-")]
    return alike or [get_claim(name)]


def _unknown(name: str) -> UnknownNameError:
    """The error, with the nearest of all names and of their first words, in lower case; else the papers' words."""
    words = {"-".join(parts[:n]) for parts in (other.split("-") for other in CLAIMS) for n in range(1, len(parts) + 1)}
    lower = name.lower()
    turned = sorted(other for other in words if sorted(other.split("-")) == sorted(lower.split("-")))
    near = turned or get_close_matches(lower, sorted(words), n=3, cutoff=0.6)
    if near:
        hint = f"did you mean {' or '.join(map(repr, near))}?"
    else:
        hint = f"names begin with {', '.join(sorted({other.split('-')[0] for other in CLAIMS}))}"
    return UnknownNameError(f"unknown claim {name!r}: {hint}")
