"""The exact problem as constraint programming: OR-tools' CP-SAT, an optional dependency."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict

import numpy as np

from fluid.hindsight import cp_sat_worker
from fluid.hindsight.cp_sat_worker import Answer, Task
from fluid.hindsight.pools import Pools, latest_starts
from fluid.hindsight.rounds import Ints, RoundInstance, check_schedule
from fluid.programme import SolverError
from orsched.errors import OrschedError

_GRACE_S = 30.0


class MissingSolverError(OrschedError):
    """An optional solver that is not installed, and how to install it."""


def solve_cp_sat(
    instance: RoundInstance, known: Ints, floor: int, time_limit_s: float, workers: int = 2
) -> tuple[Ints, int]:
    """Solve with CP-SAT, from a known schedule.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    known : ndarray of int64, shape (n,)
        A valid schedule to start from; also bounds the objective from above.
    floor : int
        A proved lower bound on the sum of starts.
    time_limit_s : float
        Time allowed, seconds.
    workers : int
        Threads.

    Returns
    -------
    starts : ndarray of int64, shape (n,)
        Best schedule found, `known` when none was; checked here.
    bound : int
        Lower bound on the sum of starts: CP-SAT's word, at least `floor`.

    Raises
    ------
    MissingSolverError
        When OR-tools is not installed.
    SolverError
        When CP-SAT refuses the model, calls it infeasible (a schedule is known) or does not answer.
    """
    pools = Pools.of(instance)
    hint = known.copy()
    alike: list[tuple[int, int]] = []
    for g in range(len(pools)):
        members = pools.members(g)
        hint[members] = np.sort(known[members])
        alike += zip(members[:-1].tolist(), members[1:].tolist(), strict=True)
    latest = np.maximum(latest_starts(instance, pools)[pools.pool_of], hint)
    task = Task(
        instance.arrival_rounds.tolist(),
        latest.tolist(),
        instance.prompt_tokens.tolist(),
        instance.output_tokens.tolist(),
        hint.tolist(),
        alike,
        instance.memory_tokens,
        floor,
        time_limit_s,
        workers,
    )
    answer = _ask(task)
    bound = max(floor, math.ceil(answer.bound - 1e-6)) if math.isfinite(answer.bound) else floor
    if answer.status == "UNKNOWN":
        return known, bound
    if answer.starts is None:
        raise SolverError(f"CP-SAT ended with status {answer.status}, though a feasible schedule is known")
    starts = np.array(answer.starts, dtype=np.int64)
    check_schedule(instance, starts)
    return starts, bound


def _ask(task: Task) -> Answer:
    """Run the worker and read its answer."""
    command = [sys.executable, "-m", cp_sat_worker.__name__]
    limit_s = task.time_limit_s + _GRACE_S
    try:
        run = subprocess.run(command, input=json.dumps(asdict(task)), capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired as late:
        raise SolverError(f"CP-SAT did not answer within {limit_s:.0f} s, limit and grace included") from late
    if run.returncode == cp_sat_worker.MISSING:
        raise MissingSolverError("method 'cp-sat' needs OR-tools: pip install 'orsched[cp]'")
    if run.returncode != 0:
        raise SolverError(f"CP-SAT failed: {run.stderr.strip().splitlines()[-1:]}")
    return Answer(**json.loads(run.stdout))
