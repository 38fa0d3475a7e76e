"""The fitted entries of the hardware catalogue, recomputed from the bundled profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from experiments.calibration.a100_entries import ENTRIES
from experiments.calibration.calibrating import calibrate, in_lockstep
from experiments.calibration.capacity import at_least_measured, kv_capacity
from experiments.calibration.carrying import carried_over
from experiments.calibration.entry import Instance, entry_of
from experiments.calibration.plausibility import limits_of
from experiments.calibration.profile_files import bundled
from experiments.calibration.readers import read_groups
from experiments.calibration.recipes import Recipe, calibration_date, recipes
from experiments.calibration.request import Wanted
from orsched.devices import model_config
from orsched.errors import unknown_name

_BLOCK_TOKENS = 16
_ADDED = ("scaling", "power", "tdp_w", "cost", "cost_unit")


def fitted_names() -> tuple[str, ...]:
    """Names of the entries that are fitted."""
    return (*ENTRIES, *recipes())


def fitted_entry(name: str, stated: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Recompute one entry.

    Parameters
    ----------
    name : str
        One of `fitted_names`.
    stated : mapping, optional
        The entry as it is. The two oldest entries keep its prose, all keep its power, scaling and cost.

    Raises
    ------
    UnknownNameError
        When the entry is not fitted here.
    """
    if name in ENTRIES:
        entry = dict(stated or {})
        return {**entry, **ENTRIES[name](entry).tables()}
    if name not in recipes():
        raise unknown_name("fitted entry", name, fitted_names())
    added = {key: stated[key] for key in _ADDED if stated and key in stated}
    return {**_cooked(recipes()[name]), **added}


def _cooked(recipe: Recipe) -> dict[str, Any]:
    shape = model_config(recipe.model)
    capacity, why = kv_capacity(shape, recipe.memory_bytes, recipe.tensor_parallel, _BLOCK_TOKENS, recipe.ranks)
    if recipe.kv_capacity_tokens:
        capacity, why = recipe.kv_capacity_tokens, recipe.kv_capacity_source
    wanted = Wanted(recipe.gpu, recipe.model, recipe.tensor_parallel, shape, recipe.ranks, recipe.collectives_gpu)
    profile = read_groups(bundled(recipe.files)).read(wanted)
    if profile.kernels is None:
        capacity, why = at_least_measured(capacity, why, profile.iterations, _BLOCK_TOKENS)
    found = calibrate(profile, recipe.form, capacity // recipe.ranks, limits_of(wanted))
    found = replace(found, cross_checks=(*found.cross_checks, *carried_over(recipe.name)))
    if recipe.ranks > 1:
        found = in_lockstep(found, recipe.ranks)
    seats = {"max_num_seqs": recipe.max_num_seqs, "max_num_seqs_source": recipe.max_num_seqs_source}
    instance = Instance(
        recipe.name,
        capacity,
        why,
        recipe.source,
        recipe.licence,
        calibration_date(),
        block_tokens=_BLOCK_TOKENS,
        notes=recipe.notes,
        **(seats if recipe.max_num_seqs else {}),  # type: ignore[arg-type]
    )
    return {**entry_of(profile, found, instance), "gpu": _title(recipe)}


def _title(recipe: Recipe) -> str:
    gpus = recipe.tensor_parallel * recipe.ranks
    return f"{gpus} x {recipe.title}" if gpus > 1 else recipe.title
