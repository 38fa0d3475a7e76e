"""Random streams of fleet experiments beside those of `experiments.paths.streams`: of one seed, by purpose and path."""

from __future__ import annotations

from enum import IntEnum

from numpy.random import Generator, SeedSequence, default_rng


class FleetStream(IntEnum):
    """What a stream is for; the number is part of the seed and never changes. Those of `Stream` are below 100."""

    TIERS = 100
    ARRIVALS = 101
    FAULTS = 102
    WHOLE_TIERS = 103


def fleet_seed(seed: int, stream: FleetStream, replication: int) -> SeedSequence:
    """The child of `seed` for one purpose on one sample path; the same for every policy."""
    return SeedSequence(seed, spawn_key=(int(stream), replication))


def fleet_generator(seed: int, stream: FleetStream, replication: int) -> Generator:
    """A random generator on `fleet_seed`."""
    return default_rng(fleet_seed(seed, stream, replication))
