"""What results say about the fleet that they are of."""

from __future__ import annotations

from orsched.fleet import Fleet


def fleet_facts(fleet: Fleet) -> dict[str, str | int]:
    """``hardware`` and ``instances``; of a fleet that is more than identical instances also ``fleet``, its name.

    Raises
    ------
    InputError
        When the instances are of several kinds of hardware.
    """
    facts: dict[str, str | int] = {"hardware": fleet.hardware.name, "instances": fleet.size}
    return facts if fleet == Fleet.identical(fleet.hardware, fleet.size) else {**facts, "fleet": fleet.name}
