"""How to build a named fleet system with settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload


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
    """

    name: str
    description: str
    settings: type[Any]
    build: Callable[[Workload, Fleet, Any], Policy]
