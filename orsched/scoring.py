"""Which requests of a run kept their objectives, and the time that rates of a run are per second of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.run import Run
from orsched.work import Floats

Bools = NDArray[np.bool_]

Scoring = Callable[[Run, Objectives], Bools]
"""Says of every request whether it kept its objective, shape ``(n,)``; False where it never completed."""

CLOCK = 1e-12
"""Rounding of a simulated time, relative to the time on the clock: a limit missed by less is kept."""


def mean_tpot(run: Run, objectives: Objectives) -> Bools:
    """First token within TTFT of the arrival, and mean time per output token after it at most TPOT.

    A request with one output token has no time per output token: only the first-token limit applies to it.
    """
    _require_match(run, objectives)
    decode_s = run.completion_s - run.first_token_s
    slack_s = _rounding_s(run)
    fast = decode_s <= objectives.tpot_s * (run.output_tokens - 1) + slack_s
    return np.asarray((run.ttft_s <= objectives.ttft_s + slack_s) & fast)


def deadlines(run: Run, objectives: Objectives) -> Bools:
    """Token ``i = 0, 1, ...`` within ``TTFT + i TPOT`` of the arrival: cumulative deadlines, PolyServe's DSLO.

    That is arXiv 2507.17769, section 2.3, known to us at second hand. A slow iteration may be made good by earlier
    fast ones, and an early first token leaves time for all others.

    Raises
    ------
    InputError
        When the run was simulated without ``deadlines=True``, or with other objectives.
    """
    _require_match(run, objectives)
    if run.lateness_s is None:
        raise InputError(f"run of {run.policy!r} has no lateness: simulate it with deadlines=True")
    if run.objectives is None or not run.objectives.agrees(objectives):
        raise InputError(f"run of {run.policy!r} was simulated with other objectives: its lateness is not by these")
    return kept_deadlines(run)


def kept_deadlines(run: Run) -> Bools:
    """`deadlines` with the objectives that the run was simulated with; it must have a lateness."""
    assert run.lateness_s is not None
    return np.asarray(run.lateness_s <= _rounding_s(run))


SCORINGS: Mapping[str, Scoring] = MappingProxyType({"mean-tpot": mean_tpot, "deadlines": deadlines})
"""The scorings by name."""


def horizon_s(run: Run) -> float:
    """Seconds from the first arrival to the last completion or arrival, whichever is later.

    The makespan, where every request completes. It is each run's own: who rejects requests may be done sooner, so rates
    per second of it do not compare policies that reject different ones.

    Raises
    ------
    InputError
        When that is no time at all: no rate exists.
    """
    done = run.completion_s[np.isfinite(run.completion_s)]
    seconds = float(max(done.max(initial=-np.inf), run.arrival_s[-1]) - run.arrival_s[0])
    if not seconds > 0:
        raise InputError(f"run of {run.policy!r} has a makespan of {seconds} s: no rates exist")
    return seconds


def _rounding_s(run: Run) -> Floats:
    """By how much the clock may have erred for each request, seconds; NaN, which no limit allows, if it never ended."""
    slack: Floats = CLOCK * run.completion_s
    return slack


def _require_match(run: Run, objectives: Objectives) -> None:
    if len(objectives) != len(run):
        raise InputError(f"{len(objectives)} objectives for a run of {len(run)} requests: give one for each")
