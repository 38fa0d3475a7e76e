"""Sample paths for the fluid to follow: a workload's own arrivals, or Poisson arrivals at given rates."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from experiments.comparison.experiment import Experiment
from experiments.paths.source import source_for
from experiments.paths.streams import Stream, generator
from fluid.trajectory import Inflow, RateProfile
from orsched.errors import InputError
from orsched.fitting import require_fit
from orsched.work import Floats
from orsched.workloads import PiecewisePoisson, Workload
from orsched.workloads.sources import WorkloadSource

MOST_ARRIVALS = 1_000_000


def own_arrivals(experiment: Experiment, window_s: float) -> tuple[Workload, Inflow]:
    """The first sample path of an experiment at its load, and its rate and lengths by windows."""
    rng = generator(experiment.seed, Stream.WORKLOAD, 0)
    path = (
        source_of_experiment(experiment).draw(experiment.requests, rng).at_load(experiment.loads[0], experiment.fleet)
    )
    return path, Inflow.of_windows(path, window_s)


def at_rates(experiment: Experiment, profile: RateProfile) -> tuple[Workload, Inflow]:
    """A path whose arrivals are Poisson at the rates of `profile` until its end, with the workload's lengths.

    The inflow has the lengths of the path's own requests, in one mix at all times.

    Raises
    ------
    InputError
        When too few or too many requests are expected or arrive.
    """
    expected = profile.expected(profile.end_s)
    if not 2 <= expected <= MOST_ARRIVALS:
        raise InputError(
            f"{expected:g} requests are expected in {profile.end_s:g} s: need 2 to {MOST_ARRIVALS:,}, change the "
            "rates or the duration"
        )
    for_times, for_lengths = generator(experiment.seed, Stream.WORKLOAD, 0).spawn(2)
    times = _poisson_times(profile, expected, for_times)
    if len(times) < 2:
        raise InputError(
            f"{len(times)} requests arrived in {profile.end_s:g} s: give a longer duration or another seed"
        )
    path = source_of_experiment(experiment).draw(len(times), for_lengths).take(np.arange(len(times)), times)
    return path, Inflow.of(profile, path)


def _poisson_times(profile: RateProfile, expected: float, rng: Generator) -> Floats:
    """Draw by inversion, as if the steps before the end were repeated after it: then the last rate may be 0."""
    starts = tuple(start for start in profile.starts_s if start < profile.end_s)
    period_s = profile.end_s if profile.period_s is None else profile.period_s
    law = PiecewisePoisson(starts, profile.rates_per_s[: len(starts)], period_s)
    times = law.sample(int(expected + 10 * math.sqrt(expected) + 20), rng)
    return np.asarray(times[times < profile.end_s])


def source_of_experiment(experiment: Experiment) -> WorkloadSource:
    """The source of an experiment's paths, all of whose requests fit."""
    source = source_for(experiment.workload, experiment.fleet, experiment.drop_oversized)
    require_fit(source.whole(), experiment.fleet)
    return source
