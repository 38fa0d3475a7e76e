"""What a reader is asked for: which group of a file, and the shape of its model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from orsched.devices import ModelConfig
from orsched.errors import InputError

_MEMORY = re.compile(r"[-_ ]?(\d+) ?gi?b?$")


def plain_gpu(name: str) -> str:
    """Reduce a GPU's name to what its spellings share: ``a100``, ``a100_sxm`` and ``A100-80GB`` are one."""
    text = _MEMORY.sub("", name.strip().lower())
    return re.sub(r"nvidia|geforce|_sxm\d?|-sxm\d?|[^a-z0-9]", "", text)


def named_memory_gb(name: str) -> int | None:
    """Memory that a GPU's name states: 80 for ``A100-80GB``; None where it states none."""
    found = _MEMORY.search(name.strip().lower())
    return int(found.group(1)) if found else None


def same_gpu(one: str, other: str) -> bool:
    """Whether two names can mean one GPU: equal but for spelling, and not of different memory."""
    sizes = {named_memory_gb(one), named_memory_gb(other)} - {None}
    return plain_gpu(one) == plain_gpu(other) and len(sizes) < 2


def spelling_of(gpu: str, names: Iterable[str], where: str) -> str | None:
    """Find how a table spells a GPU: exactly so if it does, otherwise the only name that can mean it; None if none can.

    Raises
    ------
    InputError
        When several names can mean it.
    """
    there = sorted(set(names))
    exact = [name for name in there if name.strip().lower() == gpu.strip().lower()]
    found = exact or [name for name in there if same_gpu(name, gpu)]
    if len(found) > 1:
        raise InputError(f"{where}: {gpu!r} may be any of {', '.join(found)}; name one of them exactly")
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The group to read.

    Parameters
    ----------
    gpu, model : str
        As the profile spells them.
    tensor_parallel : int
        GPUs that share each layer.
    shape : ModelConfig
        Shape of the model.
    ranks : int
        Data-parallel ranks that share the experts of every layer; 1: none.
    collectives_gpu : str, optional
        GPU whose collectives stand in for this one's.
    """

    gpu: str
    model: str
    tensor_parallel: int
    shape: ModelConfig
    ranks: int = 1
    collectives_gpu: str | None = None

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of this GPU, and of this model and tensor-parallel degree where the table tells them."""
        keep = table["gpu"] == spelling_of(self.gpu, table["gpu"], "the profile")
        if "model" in table.columns:
            keep &= table["model"].map(plain_model) == plain_model(self.model)
        if "tensor_parallel" in table.columns:
            keep &= table["tensor_parallel"] == self.tensor_parallel
        return table[keep].reset_index(drop=True)

    def require_rows(self, table: pd.DataFrame, what: str) -> pd.DataFrame:
        """Return `rows`; none is an error.

        Raises
        ------
        InputError
            When the table has none.
        """
        rows = self.rows(table)
        if rows.empty:
            raise InputError(
                f"{what} has no rows for {self.model} on {self.gpu}, tensor parallel {self.tensor_parallel}"
            )
        return rows


def plain_model(name: str) -> str:
    """Reduce a model's name to what its spellings share."""
    from orsched.devices.model_files import plain_name

    return plain_name(name)
