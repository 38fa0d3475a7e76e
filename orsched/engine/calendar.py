"""The event calendar: SimPy's queue, with callbacks at absolute times."""

from __future__ import annotations

import math
from collections.abc import Callable

import simpy
from simpy.events import NORMAL, URGENT, Event, EventPriority


class Calendar:
    """Hands out appointments and lets them happen in order of time.

    Attributes
    ----------
    next_arrival_s : float
        When the next request arrives; infinity when none will.
    last_arrival_s : float
        When the last request arrived; minus infinity before the first.
    """

    __slots__ = ("_env", "last_arrival_s", "next_arrival_s")

    def __init__(self) -> None:
        self._env = simpy.Environment()
        self.next_arrival_s = math.inf
        self.last_arrival_s = -math.inf

    def appointment(self, callback: Callable[[float], None]) -> Appointment:
        """An appointment that calls ``callback(time_s)``; book it to make it happen."""
        return Appointment(self._env, callback, NORMAL)

    def urgent_appointment(self, callback: Callable[[float], None]) -> Appointment:
        """The same, but ahead of everything ordinary booked for the same time."""
        return Appointment(self._env, callback, URGENT)

    def next_s(self) -> float:
        """Time of the next event, infinity when there is none."""
        return float(self._env.peek())

    def run(self) -> None:
        """Process events until none is left."""
        self._env.run()


class Appointment(Event):
    """A SimPy event that is triggered from the start and can be booked again once it has happened.

    Attributes
    ----------
    pending : bool
        Whether it is booked and has not happened yet.
    """

    __slots__ = ("_callback", "_calls", "_priority", "_time_s", "pending")

    def __init__(self, env: simpy.Environment, callback: Callable[[float], None], priority: EventPriority) -> None:
        self.env = env
        self._ok = True
        self._value = None
        self._callback = callback
        self._calls: list[Callable[[Event], None]] = [self._happen]
        self._priority = priority
        self._time_s = 0.0
        self.pending = False

    def book(self, time_s: float) -> None:
        """Let it happen at `time_s`; it must not be pending."""
        self.pending = True
        self._time_s = time_s
        self.callbacks = self._calls
        delay = time_s - self.env.now
        self.env.schedule(self, self._priority, delay if delay > 0 else 0.0)

    def void(self) -> None:
        """Let nothing happen when its time comes."""
        self._callback = _nothing

    def _happen(self, _: Event) -> None:
        self.pending = False
        self._callback(self._time_s)


def _nothing(time_s: float) -> None:
    """Do nothing: the callback of a void appointment."""
