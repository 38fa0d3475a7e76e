"""Thresholds of WAIT for given types: those of the critical case, those with slack, and the policy that has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fluid import equilibrium
from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Batcher, Information, Policy
from policies.wait import Waiting
from policies.wait.profile import ClassProfile
from policies.wait.thresholds import check_thresholds, choose_thresholds
from proofs_check.heavy_traffic.types import PromptType, TypeOf

_WHOLE = 1e-9


def critical_thresholds(types: Sequence[PromptType], hardware: Hardware) -> tuple[int, ...]:
    """``n_j = n_j* = lambda_j Delta*``: the thresholds without slack, for which the theorem gives square roots.

    Raises
    ------
    InputError
        When there is no equilibrium, it does not fit into the memory, or an ``n_j*`` is not a whole number.
    """
    found = equilibrium([kind.class_rate for kind in types], Fleet.identical(hardware))
    if found.in_flight_per_stage is None or found.memory_tokens is None:
        raise InputError("no fluid equilibrium at these rates (d1 sum(lambda S) >= 1): lower them")
    if found.memory_tokens > hardware.kv_capacity_tokens * (1 + _WHOLE):
        raise InputError(
            f"the equilibrium needs M* = {found.memory_tokens:.6g} KV tokens, {hardware.kv_capacity_tokens} are there: "
            "lower the rates or give more memory"
        )
    stages = found.in_flight_per_stage.tolist()
    for j, stage in enumerate(stages):
        if round(stage) < 1 or abs(stage - round(stage)) > _WHOLE * stage:
            raise InputError(
                f"n* of type {j} is {stage:.6g}, no whole number: choose rates with lambda_j Delta* whole "
                f"(Delta* = {found.iteration_s:.6g} s), or thresholds with slack"
            )
    return tuple(round(stage) for stage in stages)


def slack_thresholds(types: Sequence[PromptType], hardware: Hardware) -> tuple[int, ...]:
    """Thresholds with ``Delta^pi < n_j / lambda_j`` for every type, the fewest prompts in the system by the theory.

    Raises
    ------
    InputError
        When Algorithm 1 as printed has none that fit.
    """
    chosen = choose_thresholds(_profiles(types), hardware)
    if chosen.stage_iterations > 1 or chosen.slack <= _WHOLE:
        raise InputError(
            f"no thresholds with slack fit into {hardware.kv_capacity_tokens} KV tokens: lower the rates or give more "
            "memory"
        )
    return chosen.per_class


def wait_with(types: Sequence[PromptType], hardware: Hardware, thresholds: Sequence[int]) -> Policy:
    """WAIT, Algorithm 1, with one threshold per type.

    Raises
    ------
    InputError
        When the thresholds violate the paper's conditions, with both sides, or two types have the same lengths.
    """
    TypeOf.among(types)
    chosen = check_thresholds(thresholds, _profiles(types), hardware)
    settings = {
        "thresholds": list(chosen.per_class),
        "cycle_s": chosen.cycle_s,
        "memory_tokens": chosen.memory_tokens,
        "slack": chosen.slack,
    }
    return typed(Waiting(chosen.per_class), types, settings)


def typed(batcher: Batcher, types: Sequence[PromptType], settings: dict[str, object] | None = None) -> Policy:
    """WAIT with this batcher, told the type of every prompt; nothing is checked."""
    return Policy(
        "wait",
        batcher,
        information=Information.CLASS,
        num_classes=len(types),
        classify=TypeOf.among(types),
        settings=settings or {},
    )


def _profiles(types: Sequence[PromptType]) -> list[ClassProfile]:
    return [
        ClassProfile.of(kind.rate_per_s, np.array([kind.prompt_tokens]), np.array([kind.output_tokens]))
        for kind in types
    ]
