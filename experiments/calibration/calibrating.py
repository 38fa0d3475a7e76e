"""From a profile to a service model of a form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from experiments.calibration.calibration import Calibration, CrossCheck
from experiments.calibration.capacity import held_tokens
from experiments.calibration.errors import predicted_s, regime_errors
from experiments.calibration.fit import AFFINE_TERMS, HINGED_TERMS, Fit, design_matrix, fit_profile
from experiments.calibration.leave_one_out import leave_one_group_out
from experiments.calibration.plausibility import Limits, too_short
from experiments.calibration.profile import Profile
from experiments.calibration.profile_frame import check_profile
from experiments.calibration.tabulate import line_errors, tabulated
from orsched.errors import InputError, unknown_name
from orsched.service import Affine, Hinged, Lockstep, Tabulated

MOST_ERROR = 0.15
"""Default limit on the mean relative error of any regime. A model linear in everything misses mixed batches by about as
much, and such an error in iterations became 20% to 97% in mean TTFT under load."""
_LEAST_GROUPS = 4
_REGIMES = ("decode", "prefill", "chunked", "mixed")
_LEFT_OUT = (
    "Refitted (hinge included) without each group of equal numbers of decodes or prompts in turn and applied to it; "
    "mean over regimes."
)
_SEVERAL = (
    "several prompts in one iteration count as one attention call each, which is too long where they are many and "
    "short; that is most of the error of prefills"
)
_LINES = (
    "errors are of interpolation: every inner line of the grids (prompt tokens, past, decodes, context) was left out "
    "in turn and predicted; with a line of prompt tokens or decodes the operators at that many tokens or sequences too"
)


def calibrate(
    profile: Profile, form: str, kv_capacity_tokens: int | None = None, limits: Limits | None = None
) -> Calibration:
    """Fit or tabulate a profile.

    Parameters
    ----------
    profile : Profile
        Timed iterations of one group.
    form : str
        One of `FORMS`.
    kv_capacity_tokens : int, optional
        KV memory of an instance; batches that need more are left out.
    limits : Limits, optional
        Of the data sheet: no fitted form reads KV memory faster.

    Raises
    ------
    InputError
        When the form is unknown, or the profile has too few points or cannot identify it.
    """
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    kept = fitting_rows(profile.iterations, kv_capacity_tokens)
    found = FORMS[form](profile, kept, limits)
    missing = [name for name in _REGIMES if name not in set(kept["regime"])]
    notes = list(found.notes)
    if len(kept) < len(profile.iterations):
        notes.append(f"{len(profile.iterations) - len(kept)} batches that exceed the KV capacity left out")
    beyond = 0 if profile.kernels is None else len(profile.kernels.attention) - len(profile.iterations)
    if beyond:
        notes.append(f"{beyond} batches of more tokens than the operators were timed at left out")
    short = too_short(profile, limits)
    if short:
        notes.append(short)
    if missing:
        notes.append(f"no {' and no '.join(missing)} batches in the profile: nothing measured says how long they take")
    return replace(found, notes=tuple(notes))


def fitting_rows(iterations: pd.DataFrame, kv_capacity_tokens: int | None) -> pd.DataFrame:
    """Return the iterations whose tokens, with the one that each decode adds, fit the KV memory.

    Raises
    ------
    InputError
        When none does.
    """
    if kv_capacity_tokens is None:
        return iterations
    kept = iterations[held_tokens(iterations) <= kv_capacity_tokens].reset_index(drop=True)
    if kept.empty:
        raise InputError(
            f"every batch of the profile needs more than the {kv_capacity_tokens:,} KV tokens of an instance"
        )
    return kept


def in_lockstep(found: Calibration, ranks: int) -> Calibration:
    """Turn the model of one data-parallel rank into that of the group."""
    return replace(found, service=Lockstep(found.service, ranks), ranks=ranks)


def with_overhead(found: Calibration, overhead_s: float) -> Calibration:
    """Add seconds to every iteration."""
    service = plus_overhead(found.service, overhead_s)
    return replace(found, service=service, overhead_s=found.overhead_s + overhead_s)


def plus_overhead(service: object, overhead_s: float) -> Affine | Hinged | Tabulated | Lockstep:
    """Return the model with `overhead_s` more per iteration.

    Raises
    ------
    InputError
        When the model has no place for it, or an iteration would take no time.
    """
    if isinstance(service, Lockstep):
        return replace(service, service=plus_overhead(service.service, overhead_s))
    if isinstance(service, Tabulated):
        return replace(service, overhead_s=service.overhead_s + overhead_s)
    if isinstance(service, Affine | Hinged):
        return replace(service, base_s=service.base_s + overhead_s)
    raise InputError(f"{type(service).__name__} has no per-iteration overhead to calibrate")


def _affine(profile: Profile, kept: pd.DataFrame, limits: Limits | None) -> Calibration:
    least = _floors(limits)
    fit = fit_profile(kept, AFFINE_TERMS, least=least)
    base, prompt, sequence, kv = (fit.coefficients[term] for term in AFFINE_TERMS)
    service = Affine(base, prompt, sequence, kv)
    checks = _left_out(kept, lambda rows: fit_profile(rows, AFFINE_TERMS, least=least))
    return Calibration(service, fit.errors, kept, checks, _fit_notes(kept, fit, AFFINE_TERMS, least))


def _hinged(profile: Profile, kept: pd.DataFrame, limits: Limits | None) -> Calibration:
    terms, least = identifiable(kept), _floors(limits)
    fit = fit_profile(kept, terms, least=least)
    share = 0.0 if profile.kernels is None else profile.kernels.kv_skew_share()
    service = replace(hinged_of(fit), kv_skew_share=share)
    checks = _left_out(kept, lambda rows: fit_profile(rows, terms, least=least))
    return Calibration(service, fit.errors, kept, checks, _fit_notes(kept, fit, HINGED_TERMS, least))


def _floors(limits: Limits | None) -> dict[str, float]:
    return {} if limits is None else {"kv_token_s": limits.kv_token_s}


def _fit_notes(kept: pd.DataFrame, fit: Fit, terms: Iterable[str], least: Mapping[str, float]) -> tuple[str, ...]:
    """Say which terms nothing in the profile identifies, and which lie at the floor of the data sheet."""
    seen = dict(zip(HINGED_TERMS, (design_matrix(kept, fit.hinge_tokens) != 0).any(axis=0), strict=True))
    unseen = [term for term in terms if not seen[term]]
    notes = []
    if unseen:
        notes.append(f"nothing in the profile tells {', '.join(unseen)}: left at the least")
    if any(fit.coefficients[term] <= floor * (1 + 1e-9) for term, floor in least.items()):
        notes.append(
            "kv_token_s is the KV bytes of a token over the data sheet's bandwidth, below which it was not fitted; the "
            "profile alone has it lower"
        )
    return tuple(notes)


def identifiable(kept: pd.DataFrame) -> tuple[str, ...]:
    """Return the terms of the hinged form that the regimes of a profile can tell; the others stay zero."""
    regimes = set(kept["regime"])
    unseen = {
        "past_token_s": not (kept["past_tokens"] > 0).any(),
        "mixed_kv_token_s": "mixed" not in regimes,
        "mixed_sequence_s": "mixed" not in regimes,
    }
    return tuple(term for term in HINGED_TERMS if not unseen.get(term, False))


def hinged_of(fit: Fit) -> Hinged:
    """Return the service model of a fit."""
    coefficients: dict[str, Any] = {**fit.coefficients, "hinge_tokens": fit.hinge_tokens}
    return Hinged(**coefficients)


def _tabulated(profile: Profile, kept: pd.DataFrame, limits: Limits | None) -> Calibration:
    check_profile(kept, min_points=1)
    model = tabulated(profile)
    at_points = regime_errors(kept, predicted_s(model, kept))
    comment = "At the points themselves: what averaging over pasts, thinning the grid and making it monotone change."
    checks = tuple(
        CrossCheck(f"the profile itself, {e.group}", e.mape, comment, e.points, e.p95_ape) for e in at_points
    )
    several = profile.kernels is not None and (profile.kernels.attention["chunks"] > 1).any()
    notes = (_LINES, _SEVERAL) if several else (_LINES,)
    return Calibration(model, line_errors(profile, kept), kept, checks, notes)


def _left_out(kept: pd.DataFrame, refit: Callable[[pd.DataFrame], Fit]) -> tuple[CrossCheck, ...]:
    if len(np.unique(kept["group"])) < _LEAST_GROUPS:
        return ()
    return (CrossCheck("leave one batch size out", leave_one_group_out(kept, refit), _LEFT_OUT),)


FORMS: Mapping[str, Callable[[Profile, pd.DataFrame, Limits | None], Calibration]] = {
    "affine": _affine,
    "hinged": _hinged,
    "tabulated": _tabulated,
}
"""Forms that a profile can be turned into."""
