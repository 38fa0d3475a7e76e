"""Fit the coefficients of an iteration-time model to timed iterations.

The model is the sum of the terms in `HINGED_TERMS`, each a non-negative coefficient
times one column of `design_matrix`. Rows are divided by the measured time, so the fit
minimises relative error, and every regime (decode, prefill, ...) carries the same total
weight however many points it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from experiments.calibration.errors import regime_errors
from experiments.calibration.profile_frame import check_profile
from orsched.catalogue import FitError
from orsched.errors import InputError

Floats = NDArray[np.float64]

AFFINE_TERMS = ("base_s", "prompt_token_s", "sequence_s", "kv_token_s")
HINGED_TERMS = (
    *AFFINE_TERMS,
    "hinge_token_s",
    "chunk_attention_s",
    "past_token_s",
    "mixed_kv_token_s",
    "mixed_sequence_s",
)
_HINGE = HINGED_TERMS.index("hinge_token_s")
_GRID_POINTS = 24
_GRID_PASSES = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients (seconds per unit, one per `HINGED_TERMS`), the hinge and the errors per regime."""

    coefficients: Mapping[str, float]
    hinge_tokens: float
    errors: tuple[FitError, ...] = ()

    def predict_s(self, profile: pd.DataFrame) -> Floats:
        """Return the model's iteration time for each row of a profile; seconds, shape ``(n,)``."""
        weights = np.array([self.coefficients[term] for term in HINGED_TERMS])
        return np.asarray(design_matrix(profile, self.hinge_tokens) @ weights, dtype=np.float64)


def design_matrix(profile: pd.DataFrame, hinge_tokens: float) -> Floats:
    """Return what each coefficient multiplies; shape ``(n, len(HINGED_TERMS))``.

    Parameters
    ----------
    profile : DataFrame
        Columns as in `check_profile`.
    hinge_tokens : float
        Tokens in the iteration (prompt and decode) above which the hinge term grows.
    """
    prompt, attention, past, seqs, kv = (
        profile[name].to_numpy(np.float64)
        for name in ("prompt_tokens", "chunk_attention", "past_tokens", "num_seqs", "kv_tokens")
    )
    above = np.maximum(0.0, prompt + seqs - hinge_tokens)
    mixed = prompt > 0
    return np.column_stack([np.ones_like(kv), prompt, seqs, kv, above, attention, past, kv * mixed, seqs * mixed])


def fit_profile(
    profile: pd.DataFrame,
    terms: Iterable[str] = HINGED_TERMS,
    fixed: Mapping[str, float] | None = None,
    least: Mapping[str, float] | None = None,
) -> Fit:
    """Fit by relative-error non-negative least squares; the hinge by a one-dimensional search.

    Parameters
    ----------
    profile : DataFrame
        Timed iterations; columns as in `check_profile`.
    terms : iterable of str
        Terms that may differ from zero. The hinge is searched if ``hinge_token_s`` is one of them.
    fixed : mapping of str to float, optional
        Coefficients (seconds per unit) held at a value instead of being fitted.
    least : mapping of str to float, optional
        Lower bounds of coefficients that are fitted; the others are bounded by zero.

    Raises
    ------
    InputError
        A column is missing or holds impossible values, or there are too few points.
    """
    held = dict(fixed or {})
    terms = tuple(terms)
    floors = {term: value for term, value in (least or {}).items() if term in terms}
    unknown = sorted({*terms, *held, *(least or {})} - {*HINGED_TERMS})
    if unknown:
        raise InputError(f"unknown term(s) {', '.join(unknown)}; known: {', '.join(HINGED_TERMS)}")
    free = np.array([term in set(terms) - set(held) for term in HINGED_TERMS])
    check_profile(profile, min_points=int(free.sum()) + 1)
    start = np.array([{**floors, **held}.get(term, 0.0) for term in HINGED_TERMS])
    hinge_tokens = _search_hinge(profile, free, start) if free[_HINGE] else 0.0
    solved, _ = _solve(profile, free, start, [hinge_tokens])[0]
    fit = Fit(dict(zip(HINGED_TERMS, solved.tolist(), strict=True)), hinge_tokens)
    return Fit(fit.coefficients, hinge_tokens, regime_errors(profile, fit.predict_s(profile)))


def _search_hinge(profile: pd.DataFrame, free: NDArray[np.bool_], start: Floats) -> float:
    """Scan a geometric grid of whole token counts, then finer grids around the best."""
    tokens = profile["prompt_tokens"].to_numpy(np.float64) + profile["num_seqs"].to_numpy(np.float64)
    grid = np.unique(np.rint(np.geomspace(max(2.0, tokens.min()), max(3.0, tokens.max()), _GRID_POINTS)))
    for refinement in range(_GRID_PASSES):
        residuals = [norm for _, norm in _solve(profile, free, start, grid.tolist())]
        best = int(np.argmin(residuals))
        if refinement < _GRID_PASSES - 1:
            low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
            grid = np.unique(np.rint(np.linspace(low, high, _GRID_POINTS)))
    return float(grid[best])


def _solve(
    profile: pd.DataFrame, free: NDArray[np.bool_], start: Floats, hinges: list[float]
) -> list[tuple[Floats, float]]:
    """Return, for each hinge, all coefficients and the norm of the weighted relative residual."""
    measured = profile["time_s"].to_numpy(np.float64)
    regime = profile["regime"].astype(str).to_numpy(str)
    _, member, sizes = np.unique(regime, return_inverse=True, return_counts=True)
    weight = 1.0 / (measured * np.sqrt(sizes[member]))
    columns = design_matrix(profile, 0.0) * weight[:, None]
    tokens = profile["prompt_tokens"].to_numpy(np.float64) + profile["num_seqs"].to_numpy(np.float64)
    results = []
    for hinge in hinges:
        columns[:, _HINGE] = np.maximum(0.0, tokens - hinge) * weight
        scale = np.linalg.norm(columns, axis=0)
        scale[scale == 0.0] = 1.0
        target = measured * weight - columns @ start
        # The triangular factor keeps every norm, with a row per column instead of one per iteration.
        _, triangle = np.linalg.qr(np.column_stack([(columns / scale)[:, free], target]))
        scaled, norm = nnls(triangle[:, :-1], triangle[:, -1])
        solution = start.copy()
        solution[free] += scaled / scale[free]
        results.append((solution, float(norm)))
    return results
