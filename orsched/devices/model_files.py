"""Model shapes as data files, and looking one up by any of its common names."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from orsched.devices.latent_attention import LatentAttention
from orsched.devices.model_shape import ModelConfig
from orsched.devices.reading import checked_table
from orsched.errors import InputError, unknown_name

_FOLDER = resources.files("orsched") / "data" / "models"
_ENDING = re.compile(r"-(hf|chat|instruct|base)$")


def model_config(name: str) -> ModelConfig:
    """Look up a model by name.

    Parameters
    ----------
    name : str
        A catalogue name (`model_names`) or another common one: ``"Llama-3.1-8B"``, ``"meta-llama/Meta-Llama-3-8B"``,
        ``"Llama-2-7b-hf"``. The owner before a slash, ``meta-`` in front, and ``-hf``, ``-chat``, ``-instruct`` at the
        end do not matter, nor do upper case, dashes and underscores.

    Raises
    ------
    UnknownNameError
        When no model has that name; the message suggests the nearest.
    """
    found = find_model(name) if isinstance(name, str) else None
    if found is None:
        raise unknown_name("model", name, model_names())
    return found


def find_model(name: str) -> ModelConfig | None:
    """Return the model of that name as `model_config` does, or None."""
    return _by_plain_name().get(plain_name(name))


def plain_name(name: str) -> str:
    """Reduce a model's name to what two spellings of it share."""
    plain = name.strip().lower().rpartition("/")[2].replace("_", "-")
    plain = plain.removeprefix("meta-")
    while (shorter := _ENDING.sub("", plain)) != plain:
        plain = shorter
    return plain.replace("-", "")


@cache
def model_names() -> tuple[str, ...]:
    """Catalogue names of all models, sorted."""
    return tuple(sorted(item.name.removesuffix(".toml") for item in _FOLDER.iterdir() if item.name.endswith(".toml")))


def model_from_toml(text: str, where: str) -> tuple[ModelConfig, tuple[str, ...]]:
    """Build a model and the list of its other names from the text of a TOML file; `where` names it in errors.

    Raises
    ------
    InputError
        Naming the field, the value and what is allowed.
    """
    from orsched.devices.model_schema import ModelFile

    table = checked_table(ModelFile, text, where)
    fields = {field: value for field, value in table if field not in ("aliases", "latent")}
    try:
        latent = None if table.latent is None else LatentAttention(**dict(table.latent))
        return ModelConfig(**fields, latent=latent), tuple(table.aliases)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


@cache
def _by_plain_name() -> dict[str, ModelConfig]:
    found: dict[str, ModelConfig] = {}
    for name in model_names():
        file = _FOLDER / f"{name}.toml"
        model, aliases = model_from_toml(file.read_text(encoding="utf-8"), f"model {name}")
        for alias in (model.name, *aliases):
            if found.setdefault(plain_name(alias), model) is not model:
                raise InputError(f"model {name}: the name {alias!r} belongs to {found[plain_name(alias)].name} already")
    return found
