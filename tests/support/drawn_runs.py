"""Runs of `drawing` in processes of their own, and what a folder of them says."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from drawing import Drawing

from experiments.execution.backend import InProcess
from experiments.execution.opening import open_for
from experiments.execution.run import execute
from experiments.findings import open_results

SUPPORT = Path(__file__).parent
DEADLINE_S = 90


def environment(**more):
    """This process's environment, with `drawing` importable."""
    paths = filter(None, (str(SUPPORT), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def start(folder, **settings):
    """A run in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, SUPPORT / "drawing.py", folder, json.dumps(settings)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(folder, backend=None, **settings):
    """``total, computed, failed`` of a run in this process."""
    spec = Drawing(**settings)
    found = execute(spec, open_for(spec, Path(folder)), backend=backend or InProcess())
    return [found.total, found.computed, len(found.failures)]


def ran(process):
    """``total, computed, failed`` of a run that ends well."""
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    assert err == ""
    return json.loads(out)


def wait_for_parts(folder, count):
    """Wait until some tasks are finished."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        found = {path.stem for path in (Path(folder) / "parts").glob("*.parquet")}
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise TimeoutError(f"{count} parts in {folder}")


def computations(log):
    """How often each task was computed."""
    return Counter(Path(log).read_text().split()) if Path(log).exists() else Counter()


def exported(folder):
    """The bytes of the tidy table."""
    return open_results(folder).frame().to_csv(index=False).encode()
