"""The tables of a specification that say what breaks: listed faults, and a law of random ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.fleet.part import Part, PositiveSeconds, Seconds
from orsched.errors import InputError
from orsched.faults import Fault, InstanceFault, LinkFault, StartUpFault
from orsched.faults_schedule import Breakdowns, FaultSchedule
from orsched.group import MOST_INSTANCES

Instance = Annotated[int, Field(ge=0, le=MOST_INSTANCES - 1)]
Share = Annotated[float, Field(ge=0, le=1)]

MOST_LISTED = 100_000
"""Most faults of a kind in a specification."""


class InstanceFaultTable(Part):
    """``[[faults.instance]]``: an instance dies, for good unless `for_s` says when it is repaired."""

    at_s: Seconds
    instance: Instance
    for_s: PositiveSeconds | None = None

    def fault(self) -> Fault:
        """What the engine takes."""
        return InstanceFault(self.at_s, self.instance, self.for_s)


class LinkFaultTable(Part):
    """``[[faults.link]]``: an instance's link keeps a share `factor` of its bandwidth for a while."""

    at_s: Seconds
    instance: Instance
    for_s: PositiveSeconds
    factor: Share = 0.0

    def fault(self) -> Fault:
        """What the engine takes."""
        return LinkFault(self.at_s, self.instance, self.for_s, self.factor)


class StartUpFaultTable(Part):
    """``[[faults.start_up]]``: an instance fails to start so many times."""

    at_s: Seconds = 0.0
    instance: Instance
    attempts: Annotated[int, Field(ge=1, le=1_000_000)] = 1

    def fault(self) -> Fault:
        """What the engine takes."""
        return StartUpFault(self.at_s, self.instance, self.attempts)


class RandomFaultsTable(Part):
    """``[faults.random]``: every instance, link and start-up breaks by itself; see `FaultSchedule`."""

    horizon_s: PositiveSeconds
    seed: Annotated[int, Field(ge=0)] = 0
    instance_mean_between_s: PositiveSeconds | None = None
    instance_mean_repair_s: PositiveSeconds | None = None
    link_mean_between_s: PositiveSeconds | None = None
    link_mean_repair_s: PositiveSeconds | None = None
    link_factor: Share | None = None
    """Left out: 0."""
    start_up_mean_between_s: PositiveSeconds | None = None
    """Left out: starts do not fail."""

    def schedule(self, size: int) -> FaultSchedule:
        """The law, for a fleet of `size` instances.

        Raises
        ------
        InputError
            When one of two fields that go together is missing, all of them are, or there would be too many faults.
        """
        instances = self._breakdowns("instance", self.instance_mean_between_s, self.instance_mean_repair_s)
        links = self._breakdowns("link", self.link_mean_between_s, self.link_mean_repair_s)
        if instances is None and links is None and self.start_up_mean_between_s is None:
            raise InputError(
                "faults.random: nothing breaks; give instance_mean_between_s, link_mean_between_s or "
                "start_up_mean_between_s"
            )
        if links is None and self.link_factor is not None:
            raise InputError(f"faults.random.link_factor = {self.link_factor:g}: goes with link_mean_between_s")
        law = FaultSchedule(self.horizon_s, instances, links, self.link_factor or 0.0, self.start_up_mean_between_s)
        try:
            law.require_few(size)
        except InputError as error:
            raise InputError(f"faults.random: {error}") from None
        return law

    @staticmethod
    def _breakdowns(part: str, between_s: float | None, repair_s: float | None) -> Breakdowns | None:
        if between_s is None and repair_s is None:
            return None
        if between_s is None or repair_s is None:
            missing = f"{part}_mean_{'between' if between_s is None else 'repair'}_s"
            raise InputError(f"faults.random.{missing}: missing; it goes with the other mean of the {part}s")
        return Breakdowns(between_s, repair_s)


class FaultsTable(Part):
    """``[faults]``: what breaks."""

    instance: list[InstanceFaultTable] = Field(default=[], max_length=MOST_LISTED)
    link: list[LinkFaultTable] = Field(default=[], max_length=MOST_LISTED)
    start_up: list[StartUpFaultTable] = Field(default=[], max_length=MOST_LISTED)
    random: RandomFaultsTable | None = None

    def listed(self, size: int) -> tuple[Fault, ...]:
        """The listed faults, in order of time.

        Raises
        ------
        InputError
            When one is of an instance beyond the `size` of the fleet.
        """
        for kind in ("instance", "link", "start_up"):
            for place, table in enumerate(getattr(self, kind)):
                if table.instance >= size:
                    raise InputError(
                        f"faults.{kind}.{place}.instance = {table.instance}: the fleet has instances 0 to {size - 1}"
                    )
        found = [table.fault() for table in self.instance]
        found += [table.fault() for table in self.link]
        found += [table.fault() for table in self.start_up]
        return tuple(sorted(found, key=lambda fault: (fault.at_s, fault.instance)))
