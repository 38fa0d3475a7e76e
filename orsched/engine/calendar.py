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
    queue : list of tuple
        SimPy's heap of events, (time, priority, number, event) each, the next one first; only to be looked at.
    """

    __slots__ = ("_env", "_outside", "last_outside_s", "next_arrival_s", "queue")

    def __init__(self) -> None:
        self._env = simpy.Environment()
        self._outside: list[float] = []
        self.queue = self._env._queue
        self.next_arrival_s = math.inf
        self.last_outside_s = -math.inf

    def appointment(self, callback: Callable[[float], None], rank: int = 0) -> Appointment:
        """An appointment that calls ``callback(time_s)``; book it to make it happen.

        Of several at the same time the one of the lowest `rank` happens first, in whatever order they were booked.
        """
        return Appointment(self._env, callback, EventPriority(NORMAL + rank))

    def arrival_appointment(self, callback: Callable[[float], None]) -> Appointment:
        """The same for arrivals: the callback keeps `next_arrival_s` and `last_outside_s` up to date."""
        return Appointment(self._env, callback, URGENT)

    def outside_appointment(self, callback: Callable[[float], None]) -> Appointment:
        """The same for any other event from outside."""
        return OutsideAppointment(self, self._env, callback)

    def at(self, time_s: float, callback: Callable[[float], None]) -> Appointment:
        """An event from outside at `time_s`."""
        appointment = self.outside_appointment(callback)
        appointment.book(time_s)
        return appointment

    def next_outside_s(self) -> float:
        """Time of the next event from outside, infinity when none is booked."""
        arrival_s = self.next_arrival_s
        return min(self._outside[0], arrival_s) if self._outside else arrival_s

    def expect(self, time_s: float) -> None:
        """Note that something from outside, but no arrival, is booked."""
        heappush(self._outside, time_s)

    def happened(self, time_s: float) -> None:
        """Note that this is happening."""
        self.last_outside_s = time_s
        outside = self._outside
        while outside and outside[0] <= time_s:
            heappop(outside)

    def next_before_s(self, rank: int) -> float:
        """Time of the next event if it comes before an appointment of `rank` at the same time, otherwise infinity."""
        queue = self.queue
        return queue[0][0] if queue and queue[0][1] < NORMAL + rank else math.inf

    def holds_more_than(self, appointments: int) -> bool:
        """Whether more than so many appointments are booked and have neither happened nor become void."""
        pending = set()
        for *_, event in self.queue:
            if isinstance(event, Appointment) and event.pending:
                pending.add(event)
                if len(pending) > appointments:
                    return True
        return False

    def run(self) -> None:
        """Process events until none is left."""
        self._env.run()


class Appointment(Event):
    """A SimPy event that is triggered from the start and can be booked again and again.

    Attributes
    ----------
    time_s : float
        When it is booked for, or has happened last.
    """

    __slots__ = ("_callback", "_calls", "_entry_s", "_priority", "time_s")

    def __init__(self, env: simpy.Environment, callback: Callable[[float], None], priority: EventPriority) -> None:
        self.env = env
        self._ok = True
        self._value = None
        self._callback = callback
        self._calls: list[Callable[[Event], None]] = [self._happen]
        self._priority = priority
        self._entry_s = math.nan
        """Its time in SimPy's queue, which rounds times; NaN when it is not booked."""
        self.callbacks = self._calls
        self.time_s = 0.0

    @property
    def pending(self) -> bool:
        """Whether it is booked and has not happened yet."""
        return not math.isnan(self._entry_s)

    def book(self, time_s: float) -> None:
        """Let it happen at `time_s`, and no more at a time booked before that is still to come."""
        self.time_s = time_s
        env = self.env
        now_s = env._now
        delay_s = time_s - now_s
        self._entry_s = entry_s = now_s + delay_s if delay_s > 0 else now_s
        heappush(env._queue, (entry_s, self._priority, next(env._eid), self))

    def void(self) -> None:
        """Let nothing happen when its time comes."""
        self._entry_s = math.nan

    def _happen(self, _: Event) -> None:
        self.callbacks = self._calls  # SimPy takes them away, but the entries of bookings that were replaced remain.
        if self._entry_s == self.env._now:
            self._entry_s = math.nan
            self._callback(self.time_s)


class OutsideAppointment(Appointment):
    """One that the calendar keeps account of, because iterations that end at its time wait for it.

    It must not be booked while it is pending.
    """

    __slots__ = ("_calendar",)

    def __init__(self, calendar: Calendar, env: simpy.Environment, callback: Callable[[float], None]) -> None:
        Appointment.__init__(self, env, callback, URGENT)
        self._calendar = calendar

    def book(self, time_s: float) -> None:
        """Let it happen at `time_s`."""
        self._calendar.expect(time_s)
        Appointment.book(self, time_s)

    def _happen(self, event: Event) -> None:
        self._calendar.happened(self.time_s)
        Appointment._happen(self, event)
