"""orsched: LLM inference as multi-stage online scheduling with KV-memory constraints.

The package root holds the vocabulary (workloads, hardware, fleets, policies, bounds, runs) and one
algorithm, `simulate`. Names are imported on first use, so that ``import orsched`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orsched.bound import Bound as Bound
    from orsched.bound import best_bound as best_bound
    from orsched.catalogue import Hardware as Hardware
    from orsched.catalogue import hardware as hardware
    from orsched.catalogue import hardware_names as hardware_names
    from orsched.engine.actions import KEEP as KEEP
    from orsched.engine.actions import REJECT as REJECT
    from orsched.engine.actions import Assign as Assign
    from orsched.engine.actions import Migrate as Migrate
    from orsched.engine.actions import Routing as Routing
    from orsched.engine.actions import Start as Start
    from orsched.engine.actions import Stop as Stop
    from orsched.engine.plan import DECODE_ALL as DECODE_ALL
    from orsched.engine.plan import DECODE_UNDISTURBED as DECODE_UNDISTURBED
    from orsched.engine.plan import IDLE as IDLE
    from orsched.engine.plan import Chunk as Chunk
    from orsched.engine.plan import Move as Move
    from orsched.engine.plan import Plan as Plan
    from orsched.engine.pool import DECODERS as DECODERS
    from orsched.engine.pool import ENTRY as ENTRY
    from orsched.engine.pool import EVERY as EVERY
    from orsched.engine.pool import Pool as Pool
    from orsched.engine.simulation import simulate as simulate
    from orsched.engine.state import State as State
    from orsched.faults import InstanceFault as InstanceFault
    from orsched.faults import LinkFault as LinkFault
    from orsched.faults import StartUpFault as StartUpFault
    from orsched.fitting import drop_oversized as drop_oversized
    from orsched.fleet import Fleet as Fleet
    from orsched.fleet_log import FleetLog as FleetLog
    from orsched.group import Group as Group
    from orsched.group import Role as Role
    from orsched.installation import doctor as doctor
    from orsched.link import Link as Link
    from orsched.link import StagedCopy as StagedCopy
    from orsched.metrics import METRICS as METRICS
    from orsched.metrics import measure as measure
    from orsched.policy import Information as Information
    from orsched.policy import Policy as Policy
    from orsched.prediction import Predictions as Predictions
    from orsched.prediction import Predictor as Predictor
    from orsched.request import SLO as SLO
    from orsched.request import RequestClass as RequestClass
    from orsched.run import Run as Run
    from orsched.run_files import load_run as load_run
    from orsched.run_files import save_run as save_run
    from orsched.statistics.estimate import Estimate as Estimate
    from orsched.workloads import Workload as Workload
    from orsched.workloads import read_workload as read_workload
    from orsched.workloads import workload as workload
    from orsched.workloads import workload_names as workload_names
    from orsched.workloads import write_workload as write_workload

_HOMES = {
    "Assign": "orsched.engine.actions",
    "Bound": "orsched.bound",
    "Chunk": "orsched.engine.plan",
    "DECODERS": "orsched.engine.pool",
    "DECODE_ALL": "orsched.engine.plan",
    "DECODE_UNDISTURBED": "orsched.engine.plan",
    "ENTRY": "orsched.engine.pool",
    "EVERY": "orsched.engine.pool",
    "Estimate": "orsched.statistics.estimate",
    "Fleet": "orsched.fleet",
    "FleetLog": "orsched.fleet_log",
    "Group": "orsched.group",
    "Hardware": "orsched.catalogue",
    "IDLE": "orsched.engine.plan",
    "Information": "orsched.policy",
    "InstanceFault": "orsched.faults",
    "KEEP": "orsched.engine.actions",
    "Link": "orsched.link",
    "LinkFault": "orsched.faults",
    "METRICS": "orsched.metrics",
    "Migrate": "orsched.engine.actions",
    "Move": "orsched.engine.plan",
    "Plan": "orsched.engine.plan",
    "Policy": "orsched.policy",
    "Pool": "orsched.engine.pool",
    "Predictions": "orsched.prediction",
    "Predictor": "orsched.prediction",
    "REJECT": "orsched.engine.actions",
    "RequestClass": "orsched.request",
    "Role": "orsched.group",
    "Routing": "orsched.engine.actions",
    "Run": "orsched.run",
    "SLO": "orsched.request",
    "StagedCopy": "orsched.link",
    "Start": "orsched.engine.actions",
    "StartUpFault": "orsched.faults",
    "State": "orsched.engine.state",
    "Stop": "orsched.engine.actions",
    "Workload": "orsched.workloads",
    "best_bound": "orsched.bound",
    "doctor": "orsched.installation",
    "drop_oversized": "orsched.fitting",
    "hardware": "orsched.catalogue",
    "hardware_names": "orsched.catalogue",
    "load_run": "orsched.run_files",
    "measure": "orsched.metrics",
    "read_workload": "orsched.workloads",
    "save_run": "orsched.run_files",
    "simulate": "orsched.engine.simulation",
    "workload": "orsched.workloads",
    "workload_names": "orsched.workloads",
    "write_workload": "orsched.workloads",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'orsched' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
