"""The shape of the profiled model: looked up, read from a file, or only its number of layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orsched.devices import ModelConfig, find_model, model_names
from orsched.errors import InputError, unknown_name

_MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's shape, and whether more than its layers is known.

    Parameters
    ----------
    config : ModelConfig
        The shape; all but `layers` are placeholders unless `complete`.
    complete : bool
        Whether heads, widths and KV bytes are known too.
    """

    config: ModelConfig
    complete: bool


def shape_of(model: str, layers: int | None, file: Path | None, needed: bool) -> Shape:
    """Find the shape of a model.

    Parameters
    ----------
    model : str
        Its name, in any common spelling.
    layers : int, optional
        Its layers, in place of a look-up.
    file : Path, optional
        A TOML file as in `orsched/data/models`, in place of a look-up.
    needed : bool
        Whether the profile's times are of one layer, so that an unknown model is an error.

    Raises
    ------
    InputError
        When the model is unknown and nothing else is given, or the file cannot be used.
    """
    if file is not None:
        return Shape(_from_file(file), True)
    found = find_model(model)
    if found is not None and layers in (None, found.layers):
        return Shape(found, True)
    if found is not None:
        raise InputError(f"--layers {layers}: {found.name} has {found.layers}; leave it out, or give --model-file")
    if layers is None and needed:
        raise InputError(f"{unknown_name('model', model, model_names())}; or give --layers, or --model-file")
    config = ModelConfig(model, layers or 1, hidden=1, q_heads=1, kv_heads=1, head_dim=1, ffn=1, vocab=1)
    return Shape(config, False)


def _from_file(file: Path) -> ModelConfig:
    from orsched.devices.model_files import model_from_toml

    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError(f"{file}: a model file has at most {_MOST_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as a model file ({error})") from None
    return model_from_toml(text, str(file))[0]
