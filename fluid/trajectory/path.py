"""The deterministic path that many-request systems follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluid.trajectory.backlog import ArrivalQueue
from fluid.trajectory.batch import RunningBatch
from fluid.trajectory.inflow import Inflow
from fluid.trajectory.server import TokenBudgetServer
from orsched.errors import InputError
from orsched.work import Floats

MOST_ITERATIONS = 2_000_000
"""More iterations than this are refused: minutes of computing and hundreds of megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """The path at the start of each iteration, for the whole fleet; arrays of shape ``(n,)``.

    Parameters
    ----------
    time_s : ndarray of float64
        Starts of the iterations, and of idle times.
    iteration_s : ndarray of float64
        What starts there lasts this long (an idle time: until the rate changes).
    in_system : ndarray of float64
        Requests that have arrived and are not complete.
    waiting : ndarray of float64
        Those of them that are not in the iteration that starts: not yet admitted, or preempted.
    kv_tokens : ndarray of float64
        KV memory in use as the iteration starts (before it admits or preempts anyone), in tokens of whole blocks.
    arrived, completed : ndarray of float64
        Requests so far.
    """

    time_s: Floats
    iteration_s: Floats
    in_system: Floats
    waiting: Floats
    kv_tokens: Floats
    arrived: Floats
    completed: Floats

    def in_system_at(self, times_s: Floats) -> Floats:
        """Requests in the system at given times: those at the last start, and what has arrived since."""
        where = self._starts(times_s)
        since = np.interp(times_s, self.time_s, self.arrived) - self.arrived[where]
        return np.asarray(self.in_system[where] + since)

    def waiting_at(self, times_s: Floats) -> Floats:
        """Requests that wait at given times: those of the last start, and what has arrived since."""
        where = self._starts(times_s)
        return np.asarray(self.waiting[where] + self.in_system_at(times_s) - self.in_system[where])

    def kv_tokens_at(self, times_s: Floats) -> Floats:
        """KV memory in use at given times: that of the last start."""
        return np.asarray(self.kv_tokens[self._starts(times_s)])

    def _starts(self, times_s: Floats) -> NDArray[np.intp]:
        return np.maximum(np.searchsorted(self.time_s, times_s, side="right") - 1, 0)


def trajectory(inflow: Inflow, server: TokenBudgetServer, until_s: float, *, instances: int = 1) -> Trajectory:
    """Follow the fluid path of a fleet from empty at time 0.

    *Which limit.* Scale a system by n: arrivals n times as fast (any process whose counts over an interval,
    divided by n, converge to the integral of the rate), lengths independent and with the same law, C, B_max and
    the token budget n times as large, and an iteration time that sees the n-th part of its batch, ``T(P / n, A /
    n, B / n, K / n)``. Let it be served first come first served by a mixed-batch rule that never idles: each
    iteration decodes all residents and fills what the token budget leaves with prompts, as long as seats and KV
    memory last; when the growth of the residents does not fit, the latest are preempted until it does,
    lose their cache, and are recomputed before anyone else is admitted, none in an iteration that preempts (the
    rules of vLLM v1, and with a watermark Sarathi-Serve's). Iterations keep their length as n grows, so the limit
    is discrete in iterations, and this is that map. With ``m_c`` the mass admitted c iterations ago, by the law
    of large numbers ``m_c P(o > c)`` of it is left, hence

        B_k = sum_c m_c P(o > c),    K_k = sum_c m_c E[l + c - 1; o > c],    P_k = admitted E[l],
        t_{k+1} = t_k + T(P_k, A_k, B_k, K_k),    all cohorts age by one iteration;

    what arrives during an iteration waits for the next. It is the transport equation ``T du/dt + du/dc = 0`` for
    requests u at decode stage c, in its exact solution along characteristics: there is no grid in time or
    stage, and no discretisation error. Only a rate that is smooth in truth has one: given as averages over
    windows of w seconds, the path is off by a quantity of order ``w^2``. For n -> infinity the scaled number in
    system converges to the path uniformly on bounded intervals, with an error of order ``n^(-1/2)`` from the
    randomness of arrivals and lengths.

    *Fixed point.* At a constant rate with no limit binding, a constant path has ``m = lambda T`` at every stage:
    exactly `fluid.equilibrium`.

    *What is approximated.* It is not a bound. At finite n it neglects randomness (so, at high load, most of the
    queue); that prompts come whole, one here and two there, which costs more than their mean in a model with
    a hinge (on the Azure conversation trace with Llama-2-7B on an A100 at load 0.7 the single instance holds 29
    requests on average, one scaled by 4 has 26, by 16 has 23, and the limit 21); and, for blocks of several
    tokens, how full the last blocks are. A limit must bind, or not, by a margin: where an iteration preempts by
    a hair, a scaled system may admit instead. A fleet is taken to be split evenly.

    Parameters
    ----------
    inflow : Inflow
        Rates for the whole fleet, and the law of lengths.
    server : TokenBudgetServer
        One instance.
    until_s : float
        The path ends with the last iteration that starts before this time.
    instances : int
        Identical instances.

    Raises
    ------
    InputError
        When a request fits into no instance, the end is not positive and finite, or the path
        would take more than `MOST_ITERATIONS` iterations.
    """
    _require_usable(inflow, server, until_s, instances)
    count = max(int(mix.output_tokens.max()) for mix in inflow.mixes)
    batch = RunningBatch(server, [mix.stages(count) for mix in inflow.mixes])
    queue = ArrivalQueue(inflow, 1 / instances)
    profile = inflow.profile
    rows: list[tuple[float, ...]] = []
    now_s, completed = 0.0, 0.0
    while now_s < until_s:
        if len(rows) == MOST_ITERATIONS:
            raise InputError(f"until_s = {until_s!r}: {MOST_ITERATIONS} iterations end at {now_s:g} s; end earlier")
        kv_tokens, resident = batch.kv_tokens, batch.running
        in_system = resident + batch.preempted + queue.waiting(now_s)
        if not batch.preempt():
            batch.admit(queue, now_s)
        taking_part = batch.in_batch()
        if in_system == 0.0 and profile.rate_per_s_at(now_s) == 0.0:
            lasts_s = min(profile.next_start_s(now_s), until_s) - now_s
        else:
            lasts_s = server.service.iteration_s(batch.composition())
        waiting = in_system - taking_part
        rows.append((now_s, lasts_s, in_system, waiting, kv_tokens, queue.arrived(now_s), completed))
        completed += batch.advance()
        now_s += lasts_s
    columns = np.array(rows).T
    times, levels = columns[:2], columns[2:] * instances
    return Trajectory(*times, *levels)


def _require_usable(inflow: Inflow, server: TokenBudgetServer, until_s: float, instances: int) -> None:
    if instances < 1:
        raise InputError(f"instances = {instances!r}: must be a whole number >= 1")
    if not 0 < until_s < math.inf:
        raise InputError(f"until_s = {until_s!r}: must be a positive, finite number of seconds")
    peak = max(mix.peak_tokens for mix in inflow.mixes)
    if peak > server.kv_capacity_tokens:
        raise InputError(
            f"a request ends with {peak} KV tokens, an instance holds {server.kv_capacity_tokens:g}: "
            "leave such requests out or give more KV memory"
        )
