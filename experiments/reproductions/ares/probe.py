"""A look at the decode instances while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orsched.engine.actions import Action
from orsched.engine.pool import DECODERS
from orsched.policy import Controller

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class Probe:
    """A controller that orders what another does, and records what every decode instance reads in its next iteration.

    Parameters
    ----------
    control : Controller, optional
        Whose orders are carried out.
    every : int
        Ticks between two samples.

    Attributes
    ----------
    samples : list of list of list of int
        By sample and instance, the KV tokens of each request that decodes there, those being copied away included.
    """

    def __init__(self, control: Controller | None, every: int) -> None:
        self._control = control
        self._every = every
        self._ticks = 0
        self.samples: list[list[list[int]]] = []

    def __call__(self, view: FleetView, /) -> Sequence[Action]:
        """Record, then control."""
        if self._ticks % self._every == 0:
            self.samples.append([_reads(view, instance) for instance in view.members(DECODERS)])
        self._ticks += 1
        return [] if self._control is None else self._control(view)


def _reads(view: FleetView, instance: int) -> list[int]:
    return [view.input_tokens(r) + emitted - 1 for r, emitted in view.emitted_by(instance).items()]
