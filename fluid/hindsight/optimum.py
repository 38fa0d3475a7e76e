"""The hindsight optimum: incumbent, proved lower bound, and how far apart they are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from fluid.branch_and_bound import solve_integer
from fluid.hindsight.attempt import Attempt, Hindsight
from fluid.hindsight.automaton import memory_automaton
from fluid.hindsight.cp_sat import solve_cp_sat
from fluid.hindsight.initial import initial_multipliers
from fluid.hindsight.lagrangian import Ascent, lagrangian_bound
from fluid.hindsight.relaxed_path import Memory
from fluid.hindsight.rounds import RoundInstance
from fluid.hindsight.search import searched
from fluid.hindsight.time_indexed import TimeIndexed
from orsched.errors import InputError, unknown_name

_SEARCH_SHARE = 0.25
_SMALL_COLUMNS = 6000
_CROWDED_ROUNDS = 150
_MOST_SETS = 1_000_000
_FIRST_STEP = 0.3


def hindsight_optimum(instance: RoundInstance, time_limit_s: float = 60.0, method: str = "portfolio") -> Hindsight:
    """Least total latency of an instance with everything known in advance, over schedules without pause.

    It bounds a policy of the engine only if that neither pauses nor preempts: in rounds of one time unit a
    preempted request recomputes everything in the round it resumes in, so preempting is free there, and can
    beat every schedule without it.

    Parameters
    ----------
    instance : RoundInstance
        What is scheduled.
    time_limit_s : float
        Wall time allowed, seconds. When it ends first, the incumbent and the bound proved so far are
        returned, and the status says ``stopped``. Building a programme is not interrupted, so a run may
        take a few seconds longer.
    method : str
        ``portfolio`` (search, Lagrangian bound, branch and bound when the programme is small), ``lagrangian``,
        ``highs`` (the programme of `TimeIndexed`) or ``cp-sat``.

    Raises
    ------
    InputError
        For a time limit that is not positive, or an unknown method.
    MissingSolverError
        When the method's solver is not installed.
    """
    if not time_limit_s > 0 or not math.isfinite(time_limit_s):
        raise InputError(f"time_limit_s = {time_limit_s!r}: must be a finite number of seconds > 0")
    if method not in METHODS:
        raise unknown_name("hindsight method", method, METHODS)
    state = Attempt(instance, time.perf_counter(), time_limit_s)
    METHODS[method](state)
    return state.result(method)


def _lagrangian(state: Attempt) -> None:
    """Search for a quarter of the time, then raise the bound with one, two and three requests remembered.

    More than one is remembered in the first 150 rounds only, where many requests run at once, and only while
    the automaton stays small. The time left is shared equally between the stages.
    """
    if not state.open:
        return
    state.offer(searched(state.instance, _SEARCH_SHARE * state.left_s))
    memory_tokens = state.instance.memory_tokens
    one = memory_automaton(state.pools, memory_tokens, 1)
    deeper = [depth for depth in (2, 3) if len(one) ** depth <= _MOST_SETS * math.factorial(depth)]
    multipliers = max(
        initial_multipliers(state.instance, state.pools, state.starts),
        key=lambda begin: lagrangian_bound(state.instance, state.pools, Memory.one(one), begin)[0],
    )
    for left, depth in zip(range(len(deeper) + 1, 0, -1), (1, *deeper), strict=True):
        if not state.open:
            return
        memory = Memory.one(one)
        if depth > 1:
            memory = Memory(memory_automaton(state.pools, memory_tokens, depth), one, _CROWDED_ROUNDS)
        ascent = Ascent(state.instance, state.pools, state.value)
        found = ascent.climb(memory, multipliers, _FIRST_STEP / depth, state.left_s / left)
        state.prove(found.value, "lagrangian")
        multipliers = found.multipliers


def _brief_search(state: Attempt) -> None:
    """Search for a fiftieth of the time, at most a second."""
    if state.open:
        state.offer(searched(state.instance, min(1.0, 0.02 * state.left_s)))


def _highs(state: Attempt) -> None:
    """Branch and bound on the time-indexed programme, from the incumbent."""
    _brief_search(state)
    if not state.open:
        return
    timed = TimeIndexed.of(state.instance)
    programme = timed.programme()
    solution = solve_integer(programme, time_limit_s=state.left_s, start=timed.point(state.starts))
    if solution.primal is not None:
        state.offer(timed.starts(solution.primal))
    if solution.bound is not None:
        state.prove(_whole_from_below(solution.bound) + state.constant, "highs")


def _whole_from_below(bound: float) -> int:
    """Smallest whole number not below a solver's bound, with its tolerance given back."""
    return math.ceil(bound - 1e-6 * max(1.0, abs(bound)))


def _cp_sat(state: Attempt) -> None:
    """CP-SAT from the incumbent, with the volume bound as floor."""
    _brief_search(state)
    if not state.open:
        return
    floor = state.bound - state.constant
    starts, bound = solve_cp_sat(state.instance, state.starts, floor, state.left_s)
    state.offer(starts)
    state.prove(bound + state.constant, "cp-sat")


def _portfolio(state: Attempt) -> None:
    """Search and Lagrangian bound; when the programme is small, branch and bound after half of the time."""
    small = len(TimeIndexed.of(state.instance)) <= _SMALL_COLUMNS
    limit_s = state.limit_s
    if small:
        state.limit_s = limit_s / 2
    _lagrangian(state)
    state.limit_s = limit_s
    if small and state.open:
        _highs(state)


METHODS: dict[str, Callable[[Attempt], None]] = {
    "portfolio": _portfolio,
    "lagrangian": _lagrangian,
    "highs": _highs,
    "cp-sat": _cp_sat,
}
"""Ways to find it; each improves the state it is given."""
