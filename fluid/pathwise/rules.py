"""The ways to bound how many requests are on time, and how one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from fluid.pathwise.latency import Choice
from fluid.pathwise.minorants import sound_minorants, standalone
from fluid.pathwise.relay import Relay
from fluid.pathwise.sharing import Sharing
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.workloads import Workload

SAMPLE = 700
"""Requests on which a rule is chosen; any choice is valid."""

Rule = Sharing | Relay
"""Has ``most_on_time(deadlines)``."""

_SHARES = ((0.0, 0.0), (1.0, 0.0), (0.0, 0.5), (1.0, 0.5), (0.0, 1.0))
_SLOTS = (4, 6, 8)
_TRIMS = (0, 2)
_WORTHS = (2.0, 3.0)


def rules(workload: Workload, fleet: Fleet, reaches: Sequence[float] = (1.0,)) -> tuple[Rule, ...]:
    """Every rule that is tried, for each minorant of the fleet's service model."""
    mixtures = standalone(sound_minorants(fleet.hardware, int(workload.input_tokens.min())))
    found = [rule for minorant in mixtures for rule in _rules(minorant, reaches)]
    return tuple(found)


def _rules(minorant: Minorant, reaches: Sequence[float]) -> list[Rule]:
    if minorant.base_s == 0:
        return [Sharing(Choice(minorant, 0.0, 1.0), 0.0)]
    shared: list[Rule] = [Sharing(Choice(minorant, seats, 1.0), pace) for seats, pace in _SHARES]
    return shared + [Relay(minorant, *rest) for rest in product(_SLOTS, _TRIMS, reaches, _WORTHS)]


def sample_rows(workload: Workload) -> tuple[int, int]:
    """Bounds of at most `SAMPLE` consecutive rows in the middle."""
    start = max(0, (len(workload) - SAMPLE) // 2)
    return start, min(len(workload), start + SAMPLE)


def sample_of(workload: Workload) -> Workload:
    """Take at most `SAMPLE` consecutive requests from the middle."""
    return workload.slice(*sample_rows(workload))
