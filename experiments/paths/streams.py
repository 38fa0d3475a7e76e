"""Named random streams: one seed, one child per purpose and replication."""

from __future__ import annotations

from enum import IntEnum

from numpy.random import Generator, SeedSequence, default_rng


class Stream(IntEnum):
    """What a stream is for; the number is part of the seed and never changes."""

    WORKLOAD = 0
    POLICY = 1
    TUNING = 2


def seed_sequence(seed: int, stream: Stream, replication: int) -> SeedSequence:
    """The child of `seed` for one purpose in one replication.

    It depends on nothing else: neither on the policy nor on the load, so that every policy meets the same
    sample path (common random numbers), and not on the order in which replications run.
    """
    return SeedSequence(seed, spawn_key=(int(stream), replication))


def generator(seed: int, stream: Stream, replication: int) -> Generator:
    """A random generator on `seed_sequence`."""
    return default_rng(seed_sequence(seed, stream, replication))
