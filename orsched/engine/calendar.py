"""The event calendar: SimPy's queue, with callbacks at absolute times."""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heappop, heappush

import simpy
from simpy.events import NORMAL, URGENT, Event, EventPriority


class Calendar:
    """Hands out appointments and lets them happen in order of time.

    Events from *outside* (arrivals, ends of transfers, faults, ticks) precede everything else at the same instant.

    Attributes
    ----------
    next_arrival_s : float
        When the next request arrives; infinity when none will.
    last_outside_s : float
        When the last event from outside happened; minus infinity before the first.
    bookings : int
        Appointments booked so far: whoever runs ahead looks again when it changes.
    waiting : int
        Appointments that are booked and have neither happened nor become void.
    """

    __slots__ = ("_env", "_outside", "bookings", "last_outside_s", "next_arrival_s", "waiting")

    def __init__(self) -> None:
        self._env = simpy.Environment()
        self._outside: list[float] = []
        self.next_arrival_s = math.inf
        self.last_outside_s = -math.inf
        self.bookings = 0
        self.waiting = 0

    def appointment(self, callback: Callable[[float], None], rank: int = 0) -> Appointment:
        """An appointment that calls ``callback(time_s)``; book it to make it happen.

        Of several at the same time the one of the lowest `rank` happens first, in whatever order they were booked.
        """
        return Appointment(self, self._env, callback, EventPriority(NORMAL + rank))

    def outside_appointment(self, callback: Callable[[float], None]) -> Appointment:
        """The same, for an event from outside."""
        return OutsideAppointment(self, self._env, callback, URGENT)

    def at(self, time_s: float, callback: Callable[[float], None]) -> Appointment:
        """An event from outside at `time_s`."""
        appointment = self.outside_appointment(callback)
        appointment.book(time_s)
        return appointment

    def next_s(self) -> float:
        """Time of the next event, infinity when there is none."""
        return float(self._env.peek())

    def next_outside_s(self) -> float:
        """Time of the next event from outside, infinity when none is booked."""
        return self._outside[0] if self._outside else math.inf

    def next_before_s(self, rank: int) -> float:
        """Time of the next event if it comes before an appointment of `rank` at the same time, otherwise infinity."""
        queue = self._env._queue
        return float(queue[0][0]) if queue and queue[0][1] < NORMAL + rank else math.inf

    def expect(self, time_s: float) -> None:
        """Note that something from outside is booked."""
        heappush(self._outside, time_s)

    def happened(self, time_s: float) -> None:
        """Note that something from outside is happening."""
        self.last_outside_s = time_s
        outside = self._outside
        while outside and outside[0] <= time_s:
            heappop(outside)

    def run(self) -> None:
        """Process events until none is left."""
        self._env.run()


class Appointment(Event):
    """A SimPy event that is triggered from the start and can be booked again once it has happened.

    Attributes
    ----------
    pending : bool
        Whether it is booked and has not happened yet.
    time_s : float
        When it is booked for, or has happened last.
    """

    __slots__ = ("_calendar", "_callback", "_calls", "_priority", "pending", "time_s")

    def __init__(
        self, calendar: Calendar, env: simpy.Environment, callback: Callable[[float], None], priority: EventPriority
    ) -> None:
        self.env = env
        self._ok = True
        self._value = None
        self._calendar = calendar
        self._callback = callback
        self._calls: list[Callable[[Event], None]] = [self._happen]
        self._priority = priority
        self.time_s = 0.0
        self.pending = False

    def book(self, time_s: float) -> None:
        """Let it happen at `time_s`; it must not be pending."""
        self.pending = True
        self.time_s = time_s
        self.callbacks = self._calls
        calendar = self._calendar
        calendar.bookings += 1
        calendar.waiting += 1
        delay = time_s - self.env.now
        self.env.schedule(self, self._priority, delay if delay > 0 else 0.0)

    def void(self) -> None:
        """Let nothing happen when its time comes."""
        self._callback = _nothing
        self._calendar.waiting -= self.pending
        self.pending = False

    def _happen(self, _: Event) -> None:
        if self.pending:
            self.pending = False
            self._calendar.waiting -= 1
        self._callback(self.time_s)


class OutsideAppointment(Appointment):
    """One that the calendar keeps account of, because iterations that end at its time wait for it."""

    __slots__ = ()

    def book(self, time_s: float) -> None:
        """Let it happen at `time_s`; it must not be pending."""
        self._calendar.expect(time_s)
        Appointment.book(self, time_s)

    def _happen(self, event: Event) -> None:
        self._calendar.happened(self.time_s)
        Appointment._happen(self, event)


def _nothing(time_s: float) -> None:
    """Do nothing: the callback of a void appointment."""
