"""The first path once more, with the load sampled, for the time line."""

from __future__ import annotations

from collections.abc import Callable

from experiments.fleet.run import FleetResults
from experiments.fleet.spec import MOST_SAMPLED
from experiments.fleet.task import run_of
from experiments.fleet.timeline import MOST_SHOWN
from orsched.fleet_log import FleetLog

SAMPLES = 200
"""Samples of the load, unless the experiment says how far apart they are."""


def first_path_logs(results: FleetResults, on_run_done: Callable[[], None] = lambda: None) -> dict[str, FleetLog]:
    """What happened on the first path, with samples, for the policies that a time line shows, by label.

    How long a run lasts is known only after it, so that these are run again. Where the samples that the experiment asks
    for would be more than `MOST_SAMPLED`, since runs last far longer than the arrivals, they are farther apart.
    """
    experiment, end_s = results.experiment, results.paths[0].end_s
    least_s = end_s * experiment.fleet.size / MOST_SAMPLED
    every_s = max(experiment.sample_every_s or end_s / SAMPLES, least_s)
    path, faults = experiment.paths.draw(0), experiment.faults_of(0)
    found = {}
    for contender in experiment.contenders[:MOST_SHOWN]:
        run = run_of(experiment, contender, path, faults, 0, sample_every_s=every_s)
        assert run.log is not None
        found[contender.label] = run.log
        on_run_done()
    return found
