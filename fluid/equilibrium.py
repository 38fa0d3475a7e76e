"""WAIT's fluid equilibrium, for any service model, and where it stops to exist."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from fluid.demand import ClassRate, Demand, Rates
from orsched.fleet import Fleet
from orsched.service import Affine, Batch, ServiceModel
from orsched.work import Floats, RequestWork

_STEPS = 500
_HALVINGS = 100
_HOPELESS_S = 1e100
_STILL = 1e-14


@dataclass(frozen=True, slots=True, eq=False)
class Equilibrium:
    """Fluid equilibrium of each instance of a fleet that splits the demand evenly.

    In equilibrium every iteration lasts ``Delta`` and holds ``n_j = lambda_j Delta`` requests of class j at
    each of its ``o_j`` stages, where ``Delta`` is the iteration time of that very batch, its contexts counted as
    equal (arXiv 2504.11320, section 2, where ``Delta = d0 / (1 - rho)``). It ignores prompt chunking and integrality:
    it is the throughput-optimal operating point as scale grows, not a bound on latency.

    Parameters
    ----------
    classes : tuple of ClassRate
        The demand on the whole fleet.
    stable : bool
        Whether an equilibrium exists. When not, every quantity below is None.
    iteration_s : float or None
        ``Delta*``, seconds.
    in_flight_per_stage : ndarray of float64, shape (k,), or None
        ``n_j*``, requests of each class at each stage of one instance.
    memory_tokens : float or None
        ``M* = sum_j n_j S_j``, KV tokens resident on one instance.
    throughput_tokens_per_s : float or None
        Decode tokens ``sum_j lambda_j (o_j - 1)`` per second, whole fleet: in equilibrium everything offered
        is served.
    latency_s : ndarray of float64, shape (k,), or None
        ``o_j Delta*``: time of a request's iterations, seconds.
    rho : float or None
        ``1 - T(empty) / Delta*``, the share of an iteration that grows with the demand; for the affine model
        ``sum_j lambda_j work_j``, which is also given (>= 1) when unstable.
    kv_capacity_tokens : int
        Capacity of one instance.
    """

    classes: tuple[ClassRate, ...]
    stable: bool
    iteration_s: float | None
    in_flight_per_stage: Floats | None
    memory_tokens: float | None
    throughput_tokens_per_s: float | None
    latency_s: Floats | None
    rho: float | None
    kv_capacity_tokens: int

    @property
    def fits(self) -> bool:
        """Whether the demand is in the fluid stability region: an equilibrium exists and ``M* <= C``."""
        return self.memory_tokens is not None and self.memory_tokens <= self.kv_capacity_tokens


@dataclass(frozen=True, slots=True)
class StabilityLimits:
    """How far all rates of a demand can be scaled together.

    Parameters
    ----------
    pole : float
        Supremum of the multipliers for which an equilibrium exists at all (memory unlimited). May be infinite
        only if no work depends on the demand.
    crossing : float
        Largest multiplier whose equilibrium fits into the memory, ``M* <= C``.
    """

    pole: float
    crossing: float


def equilibrium(demand: Demand, fleet: Fleet) -> Equilibrium:
    """Find the fluid equilibrium of `demand` on each instance of `fleet`.

    For an affine service model ``Delta* = base / (1 - rho)`` with ``rho = sum_j lambda_j work_j``, in closed
    form. For any other model ``Delta*`` is the smallest fixed point of ``Delta -> T(batch(Delta))``, found by
    Steffensen's iteration from below: for T non-decreasing and convex in ``Delta``, both a plain step and a
    chord step from below stay below the smallest fixed point, because a convex function lies above its
    chord's extension.

    Parameters
    ----------
    demand : Workload or sequence of ClassRate
        Rates for the whole fleet; a workload stands for its empirical mix at its own rate.
    fleet : Fleet
        Identical instances sharing the demand evenly.

    Returns
    -------
    Equilibrium
        With ``stable=False`` and no numbers when there is no equilibrium.
    """
    rates = Rates.of(demand)
    service, capacity = fleet.hardware.service, fleet.hardware.kv_capacity_tokens
    share = rates.rate_per_s / fleet.size
    iteration, rho = _iteration(service, share, rates.work)
    if iteration is None:
        return Equilibrium(rates.classes(), False, None, None, None, None, None, rho, capacity)
    stages = share * iteration
    return Equilibrium(
        classes=rates.classes(),
        stable=True,
        iteration_s=iteration,
        in_flight_per_stage=stages,
        memory_tokens=float(stages @ rates.work.kv_volume),
        throughput_tokens_per_s=float(rates.rate_per_s @ rates.work.decode_iterations),
        latency_s=rates.work.iterations.astype(float) * iteration,
        rho=rho,
        kv_capacity_tokens=capacity,
    )


def stability_limits(demand: Demand, fleet: Fleet) -> StabilityLimits:
    """Find the multipliers of `demand` at which its fluid equilibrium stops to fit, and to exist.

    Parametrise equilibria by ``x``, the seconds' worth of arrivals at each stage: the batch is then fixed
    (``n_j = lambda_j x``), it lasts ``T(x)``, and the multiplier it balances is ``x / T(x)``. Memory is ``x
    sum_j lambda_j S_j``, so ``M* <= C`` is ``x <= x_C``. With T convex, ``x / T(x)`` is quasi-concave: its
    largest value below ``x_C`` is the crossing and its supremum the pole. For WAIT's model both are closed:
    ``C / (Lambda (d0 + d1 C))`` and ``1 / (d1 Lambda)`` with ``Lambda = sum_j lambda_j S_j``.
    """
    rates = Rates.of(demand)
    service = fleet.hardware.service
    share = rates.rate_per_s / fleet.size
    full = fleet.hardware.kv_capacity_tokens / float(share @ rates.work.kv_volume)

    def multiplier(x: float) -> float:
        return x / service.iteration_s(_batch(share * x, rates.work))

    if isinstance(service, Affine):
        work = _marginal(service, share, rates.work)
        return StabilityLimits(1.0 / work if work > 0 else math.inf, multiplier(full))
    return StabilityLimits(_peak(multiplier, full * 1e9), _peak(multiplier, full))


def _iteration(service: ServiceModel, share: Floats, work: RequestWork) -> tuple[float | None, float | None]:
    """``Delta*`` and ``rho``; the first is None without an equilibrium."""
    if isinstance(service, Affine):
        rho = _marginal(service, share, work)
        return (service.base_s / (1.0 - rho) if rho < 1 else None), rho
    delta = _smallest_fixed_point(service, share, work)
    if delta is None:
        return None, None
    return delta, 1.0 - service.iteration_s(Batch()) / delta


def _marginal(service: Affine, share: Floats, work: RequestWork) -> float:
    (minorant,) = service.affine_minorants()
    return float(share @ minorant.work_s(work))


def _batch(stages: Floats, work: RequestWork) -> Batch:
    """Build the batch with `stages` requests of each class at every stage; real-valued."""
    return Batch(
        prompt_tokens=float(stages @ work.prompt_tokens),
        chunk_attention=float(stages @ work.chunk_attention),
        num_seqs=float(stages @ work.decode_iterations),
        kv_tokens=float(stages @ work.kv_reads),
    )


def _smallest_fixed_point(service: ServiceModel, share: Floats, work: RequestWork) -> float | None:
    """Smallest ``x`` with ``T(x) = x``, or None; see `equilibrium`."""

    def time(x: float) -> float:
        return service.iteration_s(_batch(share * x, work))

    x = service.iteration_s(Batch())
    for _ in range(_STEPS):
        y = time(x)
        z = time(y)
        first, second = y - x, z - y
        if first <= _STILL * x:
            return x
        if z > _HOPELESS_S:
            return None
        x = z
        if second < first:
            chord = y + second * first / (first - second)
            if time(chord) < chord * (1 - _STILL):  # not convex: a crossing lies between
                return _crossing(time, y, chord)
            x = max(chord, z)
    return None


def _crossing(time: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda x: time(x) - x, low, high, xtol=1e-15 * high, rtol=1e-14))


def _peak(function: Callable[[float], float], high: float) -> float:
    """Largest value of a quasi-concave function on ``(0, high]``: ternary search on a logarithmic scale."""
    right = math.log(high)
    left = right - 60.0
    best = function(high)
    for _ in range(_HALVINGS):
        first, second = left + (right - left) / 3, right - (right - left) / 3
        low, up = function(math.exp(first)), function(math.exp(second))
        best = max(best, low, up)
        if low < up:
            left = first
        else:
            right = second
    return best
