"""A measurement in a process of its own: ``python -m experiments.bench.memory MODULE:CASE SIZE``."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from orsched.errors import OrschedError

MIB = 1024 * 1024
STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one case cost.

    Parameters
    ----------
    wall_s, cpu_s : float
        Seconds of the timed part: on the wall clock, and of all threads of the process.
    peak_mib : float
        Peak resident memory of the whole process, its preparations included.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float


def alone(case: str, size: int) -> Measured:
    """Measure a case in a fresh process.

    Parameters
    ----------
    case : str
        ``"module:function"``: a function that takes the size, prepares, and returns what is to be timed.
    size : int
        Requests, modes: whatever the case counts.

    Raises
    ------
    OrschedError
        When the process fails, with the last line of what it said.
    """
    command = [sys.executable, "-m", "experiments.bench.memory", case, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OrschedError(f"the process that measures {case} with size {size} failed: {last}")
    return Measured(**json.loads(done.stdout))


def peak_mib(requests: int) -> float:
    """Peak resident memory (MiB) of a fresh process that simulates `requests` requests."""
    return alone("experiments.bench.cases:single_simulation", requests).peak_mib


def own_peak_mib() -> float:
    """Peak resident memory (MiB) of this process since it started its program.

    On Linux from ``VmHWM``: ``ru_maxrss`` there begins with the peak of the process that started this one.
    """
    if STATUS.exists():
        (line,) = (line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def _measure(case: str, size: int) -> Measured:
    module, _, name = case.partition(":")
    prepare: Callable[[int], Callable[[], object]] = getattr(import_module(module), name)
    timed = prepare(size)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    timed()
    return Measured(time.perf_counter() - wall_s, time.process_time() - cpu_s, own_peak_mib())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_measure(sys.argv[1], int(sys.argv[2])))))
