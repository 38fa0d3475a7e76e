"""Synthetic workloads: arrivals from a process, lengths from a law."""

from __future__ import annotations

import numpy as np

from orsched.errors import InputError
from orsched.workloads.arrivals import ArrivalProcess
from orsched.workloads.lengths import LengthLaw
from orsched.workloads.mix import ClassMix
from orsched.workloads.workload import Workload


def synthetic(
    name: str, arrivals: ArrivalProcess, lengths: LengthLaw | ClassMix, n: int, rng: np.random.Generator
) -> Workload:
    """Draw a workload of `n` requests.

    Arrivals and lengths come from two child streams of `rng`: another arrival process meets the same
    requests, in the same order (common random numbers).

    Parameters
    ----------
    name : str
        Label in tables.
    arrivals : ArrivalProcess
        When requests arrive.
    lengths : LengthLaw or ClassMix
        How long they are; a bare law makes one class without objective.
    n : int
        Number of requests, >= 1.
    rng : numpy.random.Generator
        Source of randomness, for example ``numpy.random.default_rng(seed)``. Spawning changes it: a second
        call with the same generator gives another path.

    Returns
    -------
    Workload
        The sample path; times start at the process's time 0, not at the first arrival.

    Raises
    ------
    InputError
        If `n` is not a whole number >= 1, or a process or law written elsewhere returns impossible values.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"n = {n!r}: a workload needs a whole number of requests >= 1")
    for_arrivals, for_lengths = rng.spawn(2)
    mix = lengths if isinstance(lengths, ClassMix) else ClassMix.single(lengths)
    ids, inputs, outputs = mix.sample(int(n), for_lengths)
    return Workload.of(
        arrivals.sample(int(n), for_arrivals), inputs, outputs, class_id=ids, classes=mix.classes, name=name
    )
