"""Peak memory of one long simulation, in a process of its own: ``python -m experiments.bench.memory N``."""

from __future__ import annotations

import resource
import subprocess
import sys

from experiments.bench.cases import SINGLE
from orsched.errors import OrschedError

MIB = 1024 * 1024


def peak_mib(requests: int) -> float:
    """Peak resident memory (MiB) of a fresh process that simulates `requests` requests."""
    command = [sys.executable, "-m", "experiments.bench.memory", str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OrschedError(f"the process that simulates {requests} requests failed: {last}")
    return float(done.stdout)


def own_peak_mib() -> float:
    """Peak resident memory (MiB) of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    SINGLE.seconds(int(sys.argv[1]))
    sys.stdout.write(f"{own_peak_mib()}\n")
