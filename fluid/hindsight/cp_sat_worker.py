"""CP-SAT in a process of its own: reads one model as JSON from standard input, writes the result as JSON.

OR-tools brings its own copy of HiGHS, which cannot be loaded beside that of highspy.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

MISSING = 3
"""Exit code when OR-tools is not installed."""


@dataclass(frozen=True, slots=True)
class Task:
    """A model for CP-SAT; lists have one entry per request.

    Parameters
    ----------
    earliest, latest, prompt, output, hint : list of int
        First and last start round, s, o, and the start in a known valid schedule.
    alike : list of (int, int)
        Pairs of identical requests, the first to start no later than the second.
    memory_tokens : int
        M.
    floor : int
        A proved lower bound on the sum of starts.
    time_limit_s : float
        Time allowed, seconds.
    workers : int
        Threads.
    """

    earliest: list[int]
    latest: list[int]
    prompt: list[int]
    output: list[int]
    hint: list[int]
    alike: list[tuple[int, int]]
    memory_tokens: int
    floor: int
    time_limit_s: float
    workers: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What CP-SAT said.

    Parameters
    ----------
    status : str
        CP-SAT's name of its status.
    starts : list of int, or None
        Its best schedule.
    bound : float
        Its lower bound on the sum of starts.
    """

    status: str
    starts: list[int] | None
    bound: float


def solve(task: Task) -> Answer:
    """Minimise the sum of starts; a request is a stack of intervals that end together.

    A request holds s + 1 tokens from its first round on, and one more from each later round on, all until its
    end: intervals of o, o - 1, ..., 1 rounds in one cumulative constraint of capacity M.
    """
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    starts = [
        model.new_int_var(a, b, f"start {i}") for i, (a, b) in enumerate(zip(task.earliest, task.latest, strict=True))
    ]
    intervals: list[Any] = []
    demands: list[int] = []
    for start, s, o, known in zip(starts, task.prompt, task.output, task.hint, strict=True):
        intervals += [model.new_fixed_size_interval_var(start + j, o - j, "held") for j in range(o)]
        demands += [s + 1] + [1] * (o - 1)
        model.add_hint(start, known)
    model.add_cumulative(intervals, demands, task.memory_tokens)
    for one, other in task.alike:
        model.add(starts[one] <= starts[other])
    total = cp_model.LinearExpr.sum(starts)
    model.add_linear_constraint(total, task.floor, sum(task.hint))
    model.minimize(total)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = task.time_limit_s
    solver.parameters.num_workers = task.workers
    status = solver.solve(model)
    known_schedule = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    values = [int(solver.value(start)) for start in starts] if known_schedule else None
    return Answer(solver.status_name(status), values, float(solver.best_objective_bound))


def main() -> None:
    """Answer the task on standard input."""
    task = Task(**json.load(sys.stdin))
    try:
        answer = solve(task)
    except ModuleNotFoundError:
        sys.exit(MISSING)
    json.dump(asdict(answer), sys.stdout)


if __name__ == "__main__":
    main()
