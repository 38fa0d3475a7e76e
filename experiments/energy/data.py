"""The bundled energy measurements (orsched/data/energy), as tables."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from io import BytesIO

import pandas as pd

_FOLDER = resources.files("orsched") / "data" / "energy"


def table(name: str) -> pd.DataFrame:
    """Read one of the bundled Parquet tables; columns and sources are in the folder's README."""
    return pd.read_parquet(BytesIO((_FOLDER / f"{name}.parquet").read_bytes()))


@cache
def models() -> dict[str, dict[str, float]]:
    """``parameters_b``, ``active_b`` (mixtures of experts) and ``kv_token_bytes`` by the name of a model."""
    return tomllib.loads((_FOLDER / "models.toml").read_text(encoding="utf-8"))


def tables_text() -> str:
    """Text of the bundled ``[scaling]`` and ``[power]`` tables."""
    return (_FOLDER / "tables.toml").read_text(encoding="utf-8")
