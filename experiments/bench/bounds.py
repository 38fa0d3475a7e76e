"""Wall time and peak memory of the bounds, each in a process of its own, beside their targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

import fluid
from experiments.bench.cases import LOAD, SEED
from experiments.bench.memory import Measured, alone
from experiments.bench.yardstick import simpy_timeouts_per_s
from orsched.catalogue import hardware
from orsched.fleet import Fleet
from orsched.workloads import Workload
from orsched.workloads.catalogue import workload_source

TARGET_PEAK_MIB = 2048.0
"""No bound may need more memory than this."""


@dataclass(frozen=True, slots=True)
class Case:
    """A bound to measure.

    Parameters
    ----------
    name : str
        What it is called in the report.
    prepare : str
        ``"module:function"`` as for `experiments.bench.memory.alone`.
    counts : {"requests", "modes"}
        What its size counts.
    target_size : int
        Size that the target is for.
    target_s : float
        Wall seconds it may take at that size.
    """

    name: str
    prepare: str
    counts: str
    target_size: int
    target_s: float

    def row(self, size: int, found: Measured, timeouts_per_s: float) -> dict[str, Any]:
        """What was measured beside the target; at another size than the target's there is none."""
        comparable = size == self.target_size
        met = found.wall_s <= self.target_s and found.peak_mib <= TARGET_PEAK_MIB
        return {
            "name": self.name,
            "size": size,
            "counts": self.counts,
            **asdict(found),
            "simpy_timeouts": found.wall_s * timeouts_per_s,
            "target_s": self.target_s if comparable else None,
            "target_peak_mib": TARGET_PEAK_MIB if comparable else None,
            "met": met if comparable else None,
        }


def pathwise_lp(requests: int) -> Callable[[], object]:
    """Set up the pathwise planning LP, one column per request, over the time of the arrivals."""
    workload, fleet = reference_path(requests)
    return partial(fluid.pathwise_capacity, workload, fleet, workload.span_s)


def every_bound(requests: int) -> Callable[[], object]:
    """Set up all bounds on one path, the joint latency bound among them."""
    return partial(fluid.bounds, *reference_path(requests))


CASES = (
    Case("pathwise-lp", "experiments.bench.bounds:pathwise_lp", "requests", 100_000, 10.0),
    Case("all-bounds", "experiments.bench.bounds:every_bound", "requests", 100_000, 10.0),
    Case("mode-lp", "experiments.bench.mode_lp:mean_number", "modes", 10_000, 2.0),
)


def bench_bounds(requests: int = 100_000, modes: int = 10_000) -> dict[str, Any]:
    """Measure every case on the reference instance at load 0.9.

    Parameters
    ----------
    requests, modes : int
        Size of the cases that count requests, and of those that count modes.

    Returns
    -------
    dict
        ``requests``, ``modes``, ``simpy_timeouts_per_s`` (the yardstick, the better of a run before and one
        after) and ``cases``: each with ``name``, ``size``, ``counts``, ``wall_s``, ``cpu_s``, ``peak_mib``,
        ``simpy_timeouts`` (its wall time in bare SimPy timeouts), ``target_s``, ``target_peak_mib`` and
        ``met``, None away from the size that the target is for.
    """
    sizes = {"requests": requests, "modes": modes}
    before = simpy_timeouts_per_s()
    measured = [alone(case.prepare, sizes[case.counts]) for case in CASES]
    yardstick = max(before, simpy_timeouts_per_s())
    rows = [case.row(sizes[case.counts], found, yardstick) for case, found in zip(CASES, measured, strict=True)]
    return {**sizes, "simpy_timeouts_per_s": yardstick, "cases": rows}


def reference_path(requests: int) -> tuple[Workload, Fleet]:
    """One path of the reference workload at the engine benchmark's load and seed."""
    fleet = Fleet.identical(hardware("reference"))
    drawn = workload_source("reference").draw(requests, np.random.default_rng(SEED))
    return drawn.at_load(LOAD, fleet), fleet
