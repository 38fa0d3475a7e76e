"""Hindsight optima in unit rounds: incumbents, proved lower bounds, exact programmes."""

from fluid.hindsight.attempt import Hindsight
from fluid.hindsight.cp_sat import MissingSolverError
from fluid.hindsight.greedy import (
    a_max_starts,
    list_schedule,
    mc_benchmark_starts,
    mc_sf_starts,
    scan_starts,
    svf_starts,
)
from fluid.hindsight.optimum import METHODS, hindsight_optimum
from fluid.hindsight.restarts import a_min_completions
from fluid.hindsight.rounds import RoundInstance, as_serving, check_schedule, occupied, total_latency
from fluid.hindsight.search import constructed, searched
from fluid.hindsight.volume import length_bound, simple_bound, volume_bound

__all__ = [
    "METHODS",
    "Hindsight",
    "MissingSolverError",
    "RoundInstance",
    "a_max_starts",
    "a_min_completions",
    "as_serving",
    "check_schedule",
    "constructed",
    "hindsight_optimum",
    "length_bound",
    "list_schedule",
    "mc_benchmark_starts",
    "mc_sf_starts",
    "occupied",
    "scan_starts",
    "searched",
    "simple_bound",
    "svf_starts",
    "total_latency",
    "volume_bound",
]
