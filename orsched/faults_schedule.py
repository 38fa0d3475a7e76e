"""Random faults: what breaks when, drawn from mean times between failures and to repair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.checks import check_number, require_whole
from orsched.errors import InputError
from orsched.faults import Fault, InstanceFault, LinkFault, StartUpFault
from orsched.group import MOST_INSTANCES

MOST_FAULTS = 1_000_000
"""Most faults that a schedule may be expected to hold."""

_INSTANCES, _LINKS, _START_UPS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """Alternating renewal process of one part: it works for an exponential time, then is down for another one.

    Parameters
    ----------
    mean_between_s : float
        Mean time from the end of one fault (or the start of the run) to the next, seconds.
    mean_repair_s : float
        Mean time until it is repaired, seconds.
    """

    mean_between_s: float
    mean_repair_s: float

    def __post_init__(self) -> None:
        check_number(self, "mean_between_s", above=True, unit="seconds")
        check_number(self, "mean_repair_s", above=True, unit="seconds")

    def sample(self, horizon_s: float, rng: np.random.Generator) -> list[tuple[float, float]]:
        """Draw the faults that begin before `horizon_s`: when each begins and how long it lasts, seconds."""
        found: list[tuple[float, float]] = []
        now_s = float(rng.exponential(self.mean_between_s))
        while now_s < horizon_s:
            repair_s = max(float(rng.exponential(self.mean_repair_s)), np.finfo(float).tiny)
            found.append((now_s, repair_s))
            now_s += repair_s + float(rng.exponential(self.mean_between_s))
        return found


@dataclass(frozen=True, slots=True)
class FaultSchedule:
    """A law of faults over a fleet; every part breaks independently of the others.

    Parameters
    ----------
    horizon_s : float
        Faults begin before this time, seconds.
    instances : Breakdowns, optional
        How instances die and are repaired; None: never.
    links : Breakdowns, optional
        How links degrade; None: never.
    link_factor : float
        Share of its bandwidth that a degraded link keeps, 0 to 1.
    start_up_mean_between_s : float, optional
        Mean time between start-up faults of an instance, seconds: they come after exponential times, and each lets one
        more of its next starts fail. What no start has used up is kept: an instance that is off for long has more of
        them ahead. None: starts do not fail.
    """

    horizon_s: float
    instances: Breakdowns | None = None
    links: Breakdowns | None = None
    link_factor: float = 0.0
    start_up_mean_between_s: float | None = None

    def __post_init__(self) -> None:
        check_number(self, "horizon_s", above=True, unit="seconds")
        check_number(self, "link_factor", most=1.0)
        if self.start_up_mean_between_s is not None:
            check_number(self, "start_up_mean_between_s", above=True, unit="seconds")

    def draw(self, size: int, seed: np.random.SeedSequence) -> tuple[Fault, ...]:
        """Draw the faults of a fleet, in order of time.

        Each part has a stream of its own below `seed`: its faults depend neither on the size of the fleet nor on the
        other kinds of faults.

        Parameters
        ----------
        size : int
            Number of instances.
        seed : SeedSequence
            Of the whole schedule; it stays as it is.

        Raises
        ------
        InputError
            When more than `MOST_FAULTS` faults of a kind are expected.
        """
        require_whole("size", size, most=MOST_INSTANCES)
        self.require_few(size)
        found: list[Fault] = []
        for index in range(size):
            if self.instances is not None:
                lived = self.instances.sample(self.horizon_s, _stream(seed, _INSTANCES, index))
                found += [InstanceFault(at_s, index, for_s) for at_s, for_s in lived]
            if self.links is not None:
                lived = self.links.sample(self.horizon_s, _stream(seed, _LINKS, index))
                found += [LinkFault(at_s, index, for_s, self.link_factor) for at_s, for_s in lived]
            if self.start_up_mean_between_s is not None:
                found += self._start_up_faults(index, self.start_up_mean_between_s, _stream(seed, _START_UPS, index))
        return tuple(sorted(found, key=lambda fault: (fault.at_s, fault.instance)))

    def require_few(self, size: int) -> None:
        """Refuse a law with absurdly many faults before it is drawn, for a fleet of `size` instances.

        Raises
        ------
        InputError
            When more than `MOST_FAULTS` faults of a kind are expected.
        """
        cycles = {
            f"{name}.mean_between_s = {law.mean_between_s!r}": law.mean_between_s + law.mean_repair_s
            for name, law in (("instances", self.instances), ("links", self.links))
            if law is not None
        }
        if (between_s := self.start_up_mean_between_s) is not None:
            cycles[f"start_up_mean_between_s = {between_s!r}"] = between_s
        for what, cycle_s in cycles.items():
            if self.horizon_s * size / cycle_s > MOST_FAULTS:
                raise InputError(
                    f"FaultSchedule.{what}: {size:,} instance{'s' * (size > 1)} would have more than "
                    f"{MOST_FAULTS:,} faults in {self.horizon_s:g} s"
                )

    def _start_up_faults(self, index: int, mean_between_s: float, rng: np.random.Generator) -> list[Fault]:
        """Draw those of one instance."""
        found: list[Fault] = []
        now_s = float(rng.exponential(mean_between_s))
        while now_s < self.horizon_s:
            found.append(StartUpFault(now_s, index))
            now_s += float(rng.exponential(mean_between_s))
        return found


def _stream(seed: np.random.SeedSequence, part: int, index: int) -> np.random.Generator:
    key = (*seed.spawn_key, part, index)
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=key))
