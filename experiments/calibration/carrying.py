"""Cross-checks of catalogue entries: what fits to other GPUs, models and tensor-parallel degrees say of them."""

from __future__ import annotations

from functools import cache

from experiments.calibration.calibrating import fitting_rows
from experiments.calibration.calibration import CrossCheck
from experiments.calibration.capacity import kv_capacity
from experiments.calibration.errors import mean_error
from experiments.calibration.profile_files import bundled
from experiments.calibration.readers import read_groups
from experiments.calibration.recipes import Recipe, recipes
from experiments.calibration.request import Wanted
from experiments.calibration.transfer import KEYS, LEAVE_OUT, Sized, leave_out
from orsched.devices import model_config
from orsched.errors import InputError

_BLOCK_TOKENS = 16


def carried_over(name: str) -> tuple[CrossCheck, ...]:
    """Compare an entry's profile with hinged fits to the other groups of the same format, scaled by data-sheet ratios.

    Left out in turn: its GPU, its model and its tensor-parallel degree, where the format has others; once where that
    leaves the same groups. Empty for an
    entry in lockstep, whose times include what other ranks do.
    """
    recipe = recipes()[name]
    if recipe.ranks > 1:
        return ()
    checks: dict[frozenset[Group], tuple[list[str], tuple[float, float, int]]] = {}
    for what in LEAVE_OUT:
        found = _left_out(recipe.files[0], what).get(_group(recipe))
        if found is not None:
            groups = _sized(recipe.files[0])
            mine = KEYS[what](groups[_group(recipe)])
            others = frozenset(group for group, one in groups.items() if KEYS[what](one) != mine)
            checks.setdefault(others, ([], found))[0].append(what)
    return tuple(_check(whats, *found) for whats, found in checks.values())


def _check(whats: list[str], error: float, bias: float, groups: int) -> CrossCheck:
    comment = (
        f"Hinged fits to the {groups} groups of the same format with another {' and another '.join(whats)}, carried "
        f"over by data-sheet ratios; mean over regimes. Mean signed deviation {bias:+.1%}."
    )
    return CrossCheck("other " + " and ".join(f"{what}s" for what in whats), error, comment)


Group = tuple[str, str, int]


def _group(recipe: Recipe) -> Group:
    return recipe.gpu, recipe.model, recipe.tensor_parallel


@cache
def _left_out(leading: str, what: str) -> dict[Group, tuple[float, float, int]]:
    """Error, bias and number of groups fitted to, by group."""
    groups = _sized(leading)
    try:
        found = leave_out(tuple(groups.values()), what)
    except InputError:
        return {}
    names = {one.profile.group: group for group, one in groups.items()}
    return {names[row.group]: (mean_error(row.errors), row.bias, row.trained_on) for row in found}


@cache
def _sized(leading: str) -> dict[Group, Sized]:
    """The groups of all recipes whose first file is `leading`."""
    found: dict[Group, Sized] = {}
    for recipe in recipes().values():
        if recipe.files[0] != leading or recipe.ranks > 1 or _group(recipe) in found:
            continue
        shape = model_config(recipe.model)
        wanted = Wanted(*_group(recipe), shape, collectives_gpu=recipe.collectives_gpu)
        profile = read_groups(bundled(recipe.files)).read(wanted)
        capacity, _ = kv_capacity(shape, recipe.memory_bytes, recipe.tensor_parallel, _BLOCK_TOKENS)
        rows = fitting_rows(profile.iterations, None if profile.kernels is None else capacity)
        found[_group(recipe)] = Sized(profile, shape, rows)
    return found
