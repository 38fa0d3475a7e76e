"""Published experiments, run again and compared with what was published; found by name."""

from collections.abc import Mapping
from types import MappingProxyType

from experiments.reproductions.ares import ARES
from experiments.reproductions.plan import Reproducible
from experiments.reproductions.polyserve import POLYSERVE
from experiments.reproductions.reproduction import Reproduction
from experiments.reproductions.wait import WAIT
from orsched.errors import unknown_name

REPRODUCTIONS: Mapping[str, Reproducible] = MappingProxyType({one.name: one for one in (WAIT, ARES, POLYSERVE)})


def get_reproduction(name: str) -> Reproducible:
    """Look up a reproduction.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """
    if name not in REPRODUCTIONS:
        raise unknown_name("reproduction", name, REPRODUCTIONS)
    return REPRODUCTIONS[name]


__all__ = ["REPRODUCTIONS", "Reproduction", "get_reproduction"]
