"""The calendar: appointments that are booked again, become void, and are counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orsched.engine.calendar import Calendar


def test_the_last_booking_counts():
    """Claim: an appointment booked again while it is pending happens once, at the later booking's time, be that earlier
    or later; afterwards it can be booked anew."""
    calendar, seen = Calendar(), []
    appointment = calendar.appointment(seen.append)
    for time_s in (5.0, 2.0, 7.0):
        appointment.book(time_s)
    assert appointment.pending
    calendar.run()
    assert seen == [7.0]
    assert not appointment.pending
    appointment.book(9.0)
    calendar.run()
    assert seen == [7.0, 9.0]


def test_a_void_appointment_does_not_happen():
    """Claim: what is void does not happen, unless it is booked again."""
    calendar, seen = Calendar(), []
    appointment = calendar.appointment(seen.append)
    appointment.book(1.0)
    appointment.void()
    calendar.run()
    assert seen == []
    appointment.book(1.0)
    appointment.void()
    appointment.book(1.0)
    calendar.run()
    assert seen == [1.0]


@given(st.lists(st.tuples(st.integers(0, 3), st.one_of(st.none(), st.integers(1, 20))), max_size=40))
def test_bookings_against_a_list(orders):
    """Claim: after any sequence of bookings and cancellations, what happens is the last booking of each that is not
    void, in order of time and then of rank; and that is how many the calendar holds."""
    calendar, seen = Calendar(), []
    several = [calendar.appointment(lambda t, rank=rank: seen.append((t, rank)), rank) for rank in range(4)]
    booked: dict[int, float] = {}
    for rank, time_s in orders:
        if time_s is None:
            several[rank].void()
            booked.pop(rank, None)
        else:
            several[rank].book(float(time_s))
            booked[rank] = float(time_s)
    assert not calendar.holds_more_than(len(booked))
    assert all(calendar.holds_more_than(count) for count in range(len(booked)))
    calendar.run()
    assert seen == sorted((time_s, rank) for rank, time_s in booked.items())
    assert not calendar.holds_more_than(0)


@pytest.mark.parametrize("arrival_s", [0.5, 3.0])
def test_what_comes_from_outside_is_known_before(arrival_s):
    """Claim: the next event from outside is the next arrival or the first of the others that has not happened."""
    calendar, known = Calendar(), []
    calendar.next_arrival_s = arrival_s
    for time_s in (2.0, 1.0):
        calendar.at(time_s, lambda _: known.append(calendar.next_outside_s()))
    assert calendar.next_outside_s() == min(arrival_s, 1.0)
    calendar.run()
    assert known == [min(arrival_s, 2.0), arrival_s]
    assert calendar.last_outside_s == 2.0
