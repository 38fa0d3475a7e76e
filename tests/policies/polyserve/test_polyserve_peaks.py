"""K_max: in closed form against letting everybody grow, and what the router relies on about it."""

from hypothesis import given
from hypothesis import strategies as st
from polyserve_rules import grow_to_peak

from policies.polyserve.book import Book, Queued
from policies.polyserve.peaks import CheapPeak, ExactPeak
from policies.polyserve.residents import Residents

resident = st.tuples(st.integers(1, 60), st.integers(-20, 40))
queued = st.tuples(st.integers(1, 60), st.integers(1, 30))


def book_of(residents, others, tick, least):
    """A book with residents of (KV tokens now, iterations left) and others of (KV tokens at first, iterations)."""
    book = Book()
    for number, (kv, left) in enumerate(residents):
        book.residents.join(number, kv - tick, tick + left)
        book.count += 1
    for number, (kv, left) in enumerate(others):
        book.send(1000 + number, Queued(kv, max(left, least), kv + left + 1), 1)
    return book


@given(st.lists(resident, max_size=8), st.lists(queued, max_size=5), queued, st.integers(0, 50), st.integers(1, 6))
def test_exact_peak_is_that_of_the_simulation(residents, others, new, tick, least):
    """Claim: the peak by due ticks is the largest sum over all iterations to come, everybody growing by one each."""
    book = book_of(residents, others, tick, least)
    remaining = max(new[1], least)
    found = ExactPeak()(book, tick, remaining, least).tokens(new[0])
    assert found == grow_to_peak(residents, others, [(new[0], remaining)], least)


@given(
    st.lists(resident, max_size=8),
    st.lists(queued, max_size=5),
    st.integers(1, 30),
    st.integers(0, 30),
    st.integers(1, 6),
)
def test_peak_falls_by_a_token_a_tick_for_each_that_waits(residents, others, remaining, ticks, least):
    """Claim: the lower bound that the books keep while time passes holds, and longer answers do not lower the peak."""
    book, remaining = book_of(residents, others, 0, least), max(remaining, least)
    for rule in (ExactPeak(), CheapPeak()):
        now = rule(book, 0, remaining, least).beside
        assert rule(book, ticks, remaining, least).beside >= now - (len(others) + 1) * ticks
        assert rule(book, 0, remaining + 3, least).beside >= now


@given(
    st.lists(resident, max_size=8),
    st.lists(queued, min_size=1, max_size=5),
    st.integers(1, 30),
    st.integers(0, 9),
    st.integers(0, 12),
    st.sampled_from([ExactPeak(), CheapPeak()]),
)
def test_bound_survives_arrivals_joins_and_departures(residents, others, remaining, ticks, more, rule):
    """Claim: with requests sent, another that has begun to decode since, and one gone, the bound still is one."""
    book = book_of(residents, others, 0, 1)
    book.learn(rule(book, 0, remaining, 1), 0)
    book.send(500, Queued(7, remaining + 2, 0), remaining)
    book.advance(ticks)
    book.send(501, Queued(5, remaining + 1, 0), remaining)
    kv, left = others[0]
    begun = (kv, ticks + left)
    later = book_of([], [*others[1:], (7, remaining + 2), (5, remaining + 1)], ticks, 1)
    decoding = [*residents, begun]
    for number, (base, due) in enumerate(decoding):
        later.residents.join(number, base - ticks if number == len(residents) else base, due)
        later.count += 1
    assert rule(later, ticks, remaining, 1).beside >= book.beside
    if residents:
        gone = more % len(residents)
        book._known[gone] = residents[gone]
        book._forget_resident(gone)
        later.residents.leave(gone, *residents[gone])
        later.count -= 1
        assert rule(later, ticks, remaining, 1).beside >= book.beside


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 40), st.booleans()), max_size=40))
def test_residents_stay_in_order_as_they_come_and_go(events):
    """Claim: after any joins and departures those who are left are listed by when they are due."""
    residents, inside = Residents(), {}
    for number, (base, due, leaves) in enumerate(events):
        if leaves and inside:
            gone = sorted(inside)[base % len(inside)]
            residents.leave(gone, *inside.pop(gone))
        else:
            residents.join(number, base, due)
            inside[number] = base, due
        assert residents.dues == sorted(due for _, due in inside.values())
        assert sorted(zip(residents.bases, residents.dues, strict=True)) == sorted(inside.values())
        assert len(residents) == len(inside)
        assert residents.base_sum == sum(base for base, _ in inside.values())
