"""The hardware that an experiment ran on, as it is known today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.tables.hardware import HardwareCard, hardware_card
from orsched.catalogue import hardware
from orsched.errors import InputError

if TYPE_CHECKING:
    from experiments.spec import ExperimentSpec


def hardware_cards(spec: ExperimentSpec) -> list[HardwareCard]:
    """One card per hardware of the specification; of a file that is gone only its name."""
    cards = []
    for name in dict.fromkeys(name for fleet in spec.fleets for name in fleet.hardware_names):
        try:
            cards.append(hardware_card(hardware(name)))
        except InputError as error:
            cards.append(HardwareCard(name, (("not available", str(error)),), None))
    return cards
