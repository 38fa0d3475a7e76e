"""The network: how long transfers take that share links, worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orsched import Link
from orsched.engine.calendar import Calendar
from orsched.engine.network import Network


class Watch:
    """A network whose transfers end in `ends_s`, by name."""

    def __init__(self, *links: Link) -> None:
        self.calendar = Calendar()
        self.network = Network(links, self.calendar)
        self.ends_s: dict[str, float] = {}
        self.flows = {}

    def send(self, name, at_s, source, target, size, delay_s=0.0):
        def start(now_s):
            self.flows[name] = self.network.send(
                source, target, size, lambda end_s: self.ends_s.update({name: end_s}), now_s, delay_s
            )

        self.calendar.at(at_s, start)

    def slow(self, at_s, instance, factor):
        self.calendar.at(at_s, lambda now_s: self.network.slow(instance, factor, now_s))

    def run(self):
        self.calendar.run()
        return self.ends_s


def test_one_transfer_takes_latency_and_bytes_over_the_slower_link():
    """Claim: 600 bytes from a link of 200 B/s to one of 100 B/s with latencies 1 s and 2 s take 2 + 6 seconds."""
    watch = Watch(Link(200, 1.0), Link(100, 2.0))
    watch.send("a", 5.0, 0, 1, 600)
    assert watch.run() == {"a": pytest.approx(13.0)}


def test_two_transfers_into_one_link_share_it():
    """Claim: of 100 B/s each gets 50 while both run. 300 bytes from t = 0 and 100 from t = 1: 100 are sent by 1, the
    second ends at 3 with 100 of the first left, which then go at 100 B/s: 4."""
    watch = Watch(Link(100), Link(100), Link(100))
    watch.send("a", 0.0, 0, 2, 300)
    watch.send("b", 1.0, 1, 2, 100)
    assert watch.run() == {"b": pytest.approx(3.0), "a": pytest.approx(4.0)}


def test_directions_do_not_share():
    """Claim: links are full duplex."""
    watch = Watch(Link(100), Link(100))
    watch.send("a", 0.0, 0, 1, 100)
    watch.send("b", 0.0, 1, 0, 100)
    assert watch.run() == {"a": pytest.approx(1.0), "b": pytest.approx(1.0)}


def test_a_link_that_drops_stalls_and_goes_on():
    """Claim: 100 bytes at 100 B/s from t = 0; dropped from 0.5 to 2, at half speed from 2 to 2.5, full again: 25 + 50
    bytes are done by 2.5 and the last 25 take 0.25 s."""
    watch = Watch(Link(100), Link(math.inf))
    watch.send("a", 0.0, 0, 1, 100)
    for at_s, factor in ((0.5, 0.0), (2.0, 0.5), (2.5, 1.0)):
        watch.slow(at_s, 0, factor)
    assert watch.run() == {"a": pytest.approx(2.75)}


def test_infinite_bandwidth_leaves_the_latency():
    """Claim: a transfer over infinite links ends after its latency and delay; none of them takes no time."""
    watch = Watch(Link(latency_s=0.5), Link())
    watch.send("a", 1.0, 0, 1, 1e12, delay_s=0.25)
    watch.send("b", 2.0, 1, 1, 1e12)
    assert watch.run() == {"a": 1.75, "b": 2.0}


def test_a_cancelled_transfer_makes_room():
    """Claim: what is cancelled never ends, and the other one has the link to itself from then on."""
    watch = Watch(Link(100), Link(100))
    watch.send("a", 0.0, 0, 1, 200)
    watch.send("b", 0.0, 0, 1, 200)
    watch.calendar.at(1.0, lambda now_s: watch.network.cancel(watch.flows["a"], now_s))
    assert watch.run() == {"b": pytest.approx(2.5)}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_bytes_are_conserved_and_links_never_exceeded(seed):
    """Claim: no transfer beats its links, and what leaves one link by the last end is no more than the link carries."""
    rng = np.random.default_rng(seed)
    links = [Link(float(rng.uniform(50, 200)), float(rng.uniform(0, 0.1))) for _ in range(3)]
    watch = Watch(*links)
    sent = {}
    for k in range(int(rng.integers(1, 12))):
        source, target = map(int, rng.choice(3, 2, replace=False))
        sent[str(k)] = (float(rng.uniform(0, 5)), source, target, float(rng.uniform(1, 500)))
        watch.send(str(k), *sent[str(k)])
    ends = watch.run()
    assert ends.keys() == sent.keys()
    for name, (at_s, source, target, size) in sent.items():
        fastest = min(links[source].bytes_per_s, links[target].bytes_per_s)
        least = at_s + max(links[source].latency_s, links[target].latency_s) + size / fastest
        assert ends[name] >= least - 1e-9
    for number, link in enumerate(links):
        for side in (1, 2):
            carried = [(row, ends[name]) for name, row in sent.items() if row[side] == number]
            if carried:
                span = max(end for _, end in carried) - min(row[0] for row, _ in carried)
                assert sum(row[3] for row, _ in carried) <= link.bytes_per_s * span * (1 + 1e-9)
