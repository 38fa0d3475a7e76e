"""WAIT's threshold conditions, and how to choose integer thresholds that satisfy them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orsched.catalogue import Hardware
from orsched.checks import require_whole
from orsched.errors import InputError
from policies.wait.profile import ClassProfile, cycle_memory_tokens, cycle_s, cycle_seats

STAGE_ITERATIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Lengths of a stage that are tried, iterations."""


@dataclass(frozen=True, slots=True)
class WaitThresholds:
    """Thresholds with the quantities the paper's conditions speak of.

    Parameters
    ----------
    per_class : tuple of int
        ``n_j``, prompts per stage.
    stage_iterations : int
        Iterations a stage lasts; 1 is Algorithm 1 as printed.
    cycle_s : float
        ``Delta^pi``, duration of a full cycle, seconds.
    memory_tokens : float
        ``M^pi``, KV tokens with every stage full.
    slack : float
        ``min_j n_j / (lambda_j Delta^pi) - 1``; positive means the strict case of the theorem (O(1) delays).
    """

    per_class: tuple[int, ...]
    stage_iterations: int
    cycle_s: float
    memory_tokens: float
    slack: float


def check_thresholds(
    per_class: Sequence[int],
    profiles: Sequence[ClassProfile],
    hardware: Hardware,
    stage_iterations: int = 1,
) -> WaitThresholds:
    """Check WAIT's conditions (arXiv 2504.11320, section 3): ``Delta^pi <= n_j / lambda_j`` and ``M^pi <= C``.

    Raises
    ------
    InputError
        Naming the condition that is violated, with both sides of it.
    """
    if len(per_class) != len(profiles):
        raise InputError(f"{len(per_class)} thresholds for {len(profiles)} classes: give one per class")
    require_whole("stage_iterations", stage_iterations)
    for j, n in enumerate(per_class):
        require_whole(f"threshold of class {j}", n)
    cycle = cycle_s(hardware.service, profiles, per_class, stage_iterations)
    memory = cycle_memory_tokens(profiles, per_class, stage_iterations, hardware.block_tokens)
    seats = cycle_seats(profiles, per_class, stage_iterations)
    if memory > hardware.kv_capacity_tokens:
        raise InputError(
            f"thresholds {tuple(per_class)} violate M^pi <= C: {memory:.0f} KV tokens needed, "
            f"{hardware.kv_capacity_tokens} there; lower them or lengthen the stages"
        )
    if seats > hardware.max_num_seqs:
        raise InputError(
            f"thresholds {tuple(per_class)} need {seats:.0f} requests in a batch, at most "
            f"{hardware.max_num_seqs} fit; lower them or lengthen the stages"
        )
    tightest = min(n / p.rate_per_s for n, p in zip(per_class, profiles, strict=True) if p.rate_per_s > 0)
    if cycle > tightest * (1 + 1e-12):
        raise InputError(
            f"thresholds {tuple(per_class)} violate Delta^pi <= n_j / lambda_j: a full cycle takes {cycle:.6g} s, "
            f"the slowest class collects its threshold in {tightest:.6g} s; raise them or lower the load"
        )
    return WaitThresholds(tuple(per_class), stage_iterations, float(cycle), float(memory), float(tightest / cycle - 1))


def choose_thresholds(profiles: Sequence[ClassProfile], hardware: Hardware) -> WaitThresholds:
    """Integer thresholds, and the stage length, that satisfy the conditions with the fewest requests in the system.

    For a stage length ``g`` the fluid cycle ``Delta*`` is the least fixed point of ``Delta = T(lambda Delta)``; every
    ``Delta`` from there up to the edge of the memory gives a candidate ``n_j = ceil(lambda_j Delta)``.

    ``g = 1``, Algorithm 1 as printed, is taken whenever it is feasible. Often it is not: integer thresholds need at
    least one prompt per class and stage, ``sum_j S_j`` KV tokens in all, more than a GPU holds for most traces; the
    paper does not treat this. Stages of ``g > 1`` iterations are our extension: WAIT on the system whose
    "iteration" is a block of ``g``. Among candidates the one with the fewest requests in the system by the
    theory is chosen (`expected_in_system`), by Little's law the one with the least mean latency.

    Raises
    ------
    InputError
        When no stage length admits feasible integer thresholds.
    """
    longest = max(len(p.active) for p in profiles)
    best: WaitThresholds | None = None
    for g in STAGE_ITERATIONS:
        for per_class in _candidates(profiles, hardware, g):
            try:
                chosen = check_thresholds(per_class, profiles, hardware, g)
            except InputError:
                continue
            if best is None or _rank(profiles, chosen) < _rank(profiles, best):
                best = chosen
        if g >= longest or (g == 1 and best is not None):
            break
    if best is None:
        raise InputError(
            "no integer thresholds satisfy WAIT's conditions for these classes at this load: "
            "lower the load, use fewer classes or hardware with more KV memory"
        )
    return best


def expected_in_system(profiles: Sequence[ClassProfile], chosen: WaitThresholds) -> float:
    """Requests in the system that the theory predicts; infinite without slack.

    A class advances once per ``n_j`` arrivals, so each of its stages holds ``n_j`` requests. The backlog beyond is that
    of the paper's slack case, ``E[(X - n)^2] / (2 (n - mu))`` with ``X ~ Poisson(mu)``, ``mu = lambda_j Delta^pi``.
    """
    total = 0.0
    for n, p in zip(chosen.per_class, profiles, strict=True):
        mean = p.rate_per_s * chosen.cycle_s
        stages = float(p.active[:: chosen.stage_iterations].sum())
        if n <= mean:
            return math.inf
        total += n * stages + (mean + (n - mean) ** 2) / (2 * (n - mean))
    return total


def _rank(profiles: Sequence[ClassProfile], chosen: WaitThresholds) -> tuple[float, float]:
    return expected_in_system(profiles, chosen), chosen.memory_tokens


def _candidates(profiles: Sequence[ClassProfile], hardware: Hardware, g: int) -> Iterator[tuple[int, ...]]:
    """Rounded-up thresholds for growing cycles, from the fluid cycle to the edge of the memory."""
    cycle = _fluid_cycle(profiles, hardware, g)
    previous: tuple[int, ...] = ()
    while cycle is not None:
        candidate = tuple(max(1, math.ceil(p.rate_per_s * cycle - 1e-9)) for p in profiles)
        if cycle_memory_tokens(profiles, candidate, g, 1) > hardware.kv_capacity_tokens:
            return
        if candidate != previous:
            yield candidate
            previous = candidate
        cycle *= 1.05


def _fluid_cycle(profiles: Sequence[ClassProfile], hardware: Hardware, g: int) -> float | None:
    """Least fixed point of ``Delta = T(lambda Delta)``; None when it lies beyond the memory."""
    cycle = 0.0
    for _ in range(10_000):
        flow = [p.rate_per_s * cycle for p in profiles]
        if cycle_memory_tokens(profiles, flow, g, 1) > hardware.kv_capacity_tokens:
            return None
        longer = cycle_s(hardware.service, profiles, [max(f, 1e-12) for f in flow], g)
        if longer <= cycle * (1 + 1e-9):
            return longer
        cycle = longer
    return None
