"""How to build a named fleet system with settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.registry import get_recipe


def batcher_uses_lengths(settings: Any) -> bool:
    """Whether the batcher that settings name uses output lengths."""
    return get_recipe(settings.batcher).information > Information.NONE


@dataclass(frozen=True, slots=True)
class System:
    """A published fleet scheduler under its name: router, placement, control and batcher together.

    Parameters
    ----------
    name : str
        The system's name.
    description : str
        One line: which version, and what of it.
    settings : type
        A frozen dataclass whose fields all have defaults; it checks itself. Users set its fields in a specification, so
        their types are those a file can hold: numbers, truth values, strings, `Literal`, enumerations, None, and tuples
        of these.
    build : callable
        ``build(workload, fleet, settings) -> Policy``, `settings` an instance of that dataclass. `workload` represents
        the law at the target rate, with its classes and their objectives; the sample path to be served is not seen.
        Raises InputError when the system cannot run there.
    uses_lengths : callable
        ``uses_lengths(settings) -> bool``: whether what is built with these settings may use output lengths, so that a
        predictor of them makes a difference. By default whether the batcher does that they name.
    """

    name: str
    description: str
    settings: type[Any]
    build: Callable[[Workload, Fleet, Any], Policy]
    uses_lengths: Callable[[Any], bool] = batcher_uses_lengths
