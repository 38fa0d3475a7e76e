"""How each fitted entry of the catalogue is made from the bundled profiles: `recipes.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class Recipe(BaseModel):
    """One entry: which group of which files, as which form, and what is said about it.

    Parameters
    ----------
    name : str
        Catalogue name.
    files : tuple of str
        Bundled profiles, see `orsched/data/profiles/README.md`.
    gpu, model : str
        As the profile spells them.
    tensor_parallel : int
        GPUs that share each layer.
    title : str
        The GPU's full name.
    memory_bytes : float
        Memory of one GPU.
    form : str
        Form of the model.
    ranks : int
        Data-parallel ranks in lockstep that share the experts.
    collectives_gpu : str, optional
        GPU whose collectives are used.
    kv_capacity_tokens, kv_capacity_source : int and str
        KV tokens and where they were recorded; 0: derived from the memory.
    max_num_seqs, max_num_seqs_source : int and str
        Seats and where they were recorded; 0: 256, vLLM's default.
    source, licence : str
        Of the profiles.
    notes : tuple of str
        Honest limits of this entry.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    files: tuple[str, ...]
    gpu: str
    model: str
    tensor_parallel: int = 1
    title: str
    memory_bytes: float
    form: str = "tabulated"
    ranks: int = 1
    collectives_gpu: str | None = None
    kv_capacity_tokens: int = 0
    kv_capacity_source: str = ""
    max_num_seqs: int = 0
    max_num_seqs_source: str = ""
    source: str
    licence: str
    notes: tuple[str, ...] = ()


class _Recipes(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    date: str
    entry: tuple[Recipe, ...]


@cache
def _all() -> _Recipes:
    text = (resources.files("experiments.calibration") / "recipes.toml").read_text(encoding="utf-8")
    return _Recipes.model_validate(tomllib.loads(text))


def recipes() -> dict[str, Recipe]:
    """Return the recipes by catalogue name."""
    return {recipe.name: recipe for recipe in _all().entry}


def calibration_date() -> str:
    """Return the date of the calibration, as entries state it."""
    return _all().date
