"""Every command of ``orsched`` as one call that returns pandas data frames.

Arguments are the command's options, by the same names (``--slo-ttft`` is ``slo_ttft``) and with the same defaults;
what names an object on the command line may be the object itself. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.frames.benchmarks import bench_bounds as bench_bounds
    from experiments.frames.benchmarks import bench_engine as bench_engine
    from experiments.frames.benchmarks import bench_fleet as bench_fleet
    from experiments.frames.benchmarks import bench_service as bench_service
    from experiments.frames.bounds import BoundFrames as BoundFrames
    from experiments.frames.bounds import bound as bound
    from experiments.frames.calibrations import calibrate as calibrate
    from experiments.frames.claims import check as check
    from experiments.frames.evaluations import evaluate as evaluate
    from experiments.frames.fleets import FleetFrames as FleetFrames
    from experiments.frames.fleets import fleet as fleet
    from experiments.frames.fleets import fleet_list as fleet_list
    from experiments.frames.gaps import demo as demo
    from experiments.frames.gaps import gap_table as gap_table
    from experiments.frames.installation import doctor as doctor
    from experiments.frames.installation import listing as listing
    from experiments.frames.optima import hindsight as hindsight
    from experiments.frames.predictions import PredictionFrames as PredictionFrames
    from experiments.frames.predictions import validate_batch_times as validate_batch_times
    from experiments.frames.predictions import validate_silicon as validate_silicon
    from experiments.frames.replays import ReplayFrames as ReplayFrames
    from experiments.frames.replays import validate_vllm_logs as validate_vllm_logs
    from experiments.frames.reports import report as report
    from experiments.frames.reproductions import ReproductionFrames as ReproductionFrames
    from experiments.frames.reproductions import reproduce as reproduce
    from experiments.frames.results_folders import results_compact as results_compact
    from experiments.frames.results_folders import results_export as results_export
    from experiments.frames.results_folders import results_failures as results_failures
    from experiments.frames.results_folders import results_list as results_list
    from experiments.frames.results_folders import results_query as results_query
    from experiments.frames.results_folders import results_table as results_table
    from experiments.frames.runs import run as run
    from experiments.frames.scaling import ScalingFrames as ScalingFrames
    from experiments.frames.scaling import heavy_traffic as heavy_traffic
    from experiments.frames.trajectories import trajectory as trajectory

_MODULES = {
    "benchmarks": ("bench_bounds", "bench_engine", "bench_fleet", "bench_service"),
    "bounds": ("BoundFrames", "bound"),
    "calibrations": ("calibrate",),
    "claims": ("check",),
    "evaluations": ("evaluate",),
    "fleets": ("FleetFrames", "fleet", "fleet_list"),
    "gaps": ("demo", "gap_table"),
    "installation": ("doctor", "listing"),
    "optima": ("hindsight",),
    "predictions": ("PredictionFrames", "validate_batch_times", "validate_silicon"),
    "replays": ("ReplayFrames", "validate_vllm_logs"),
    "reports": ("report",),
    "reproductions": ("ReproductionFrames", "reproduce"),
    "results_folders": (
        "results_compact",
        "results_export",
        "results_failures",
        "results_list",
        "results_query",
        "results_table",
    ),
    "runs": ("run",),
    "scaling": ("ScalingFrames", "heavy_traffic"),
    "trajectories": ("trajectory",),
}
_HOMES = {name: f"experiments.frames.{module}" for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'experiments.frames' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
