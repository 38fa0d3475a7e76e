"""The fluid that waits, in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fluid.trajectory.inflow import Inflow
from orsched.work import Floats


@dataclass(frozen=True, slots=True)
class Cohort:
    """Requests with the same mix of lengths that have had as many iterations; `mass` counts them as admitted."""

    mix: int
    age: int
    mass: float

    def split(self, share: float) -> tuple[Cohort, Cohort]:
        """A share of it and the rest."""
        return Cohort(self.mix, self.age, self.mass * share), Cohort(self.mix, self.age, self.mass * (1.0 - share))


class ArrivalQueue:
    """Arrivals in order of time: all that came before the head's arrival time are gone.

    Parameters
    ----------
    inflow : Inflow
        Rates of the whole fleet.
    share : float
        Part of every arrival that comes here (one instance of a fleet).
    """

    def __init__(self, inflow: Inflow, share: float) -> None:
        self._inflow = inflow
        self._share = share
        self._head_s = 0.0
        self._gone = 0.0

    def arrived(self, time_s: float) -> float:
        """Requests that have arrived by a time."""
        return self._share * self._inflow.profile.expected(time_s)

    def waiting(self, now_s: float) -> float:
        """Arrivals not yet taken."""
        return max(self.arrived(now_s) - self._gone, 0.0)

    def take(self, now_s: float, costs: Floats, room: Floats) -> list[Cohort]:
        """Take from the head as much as fits, exactly: between changes of the rate everything is linear.

        Parameters
        ----------
        now_s : float
            Arrivals until now can be taken.
        costs : ndarray of float64, shape (resources, mixes)
            What a request uses of each resource.
        room : ndarray of float64, shape (resources,)
            What there is of each, >= 0.
        """
        taken = []
        while self._head_s < now_s:
            end_s = min(self._inflow.profile.next_start_s(self._head_s), now_s)
            arrived, mix = self.arrived(end_s), self._inflow.mix_at(self._head_s)
            mass = max(arrived - self._gone, 0.0)
            use = costs[:, mix] * mass
            share = largest_share(use, room)
            if share * mass > 0:
                taken.append(Cohort(mix, 0, share * mass))
            if share < 1.0:
                self._gone += share * mass
                self._head_s += share * (end_s - self._head_s)
                break
            self._gone, self._head_s = arrived, end_s
            room = np.maximum(room - use, 0.0)
        return taken


def largest_share(use: Floats, room: Floats) -> float:
    """Largest share of something, at most 1, whose use of every resource fits into the room."""
    binding = use > room
    return float(np.min(room[binding] / use[binding])) if binding.any() else 1.0
