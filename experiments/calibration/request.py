"""What a reader is asked for: which group of a file, and the shape of its model."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from orsched.devices import ModelConfig
from orsched.errors import InputError

_MEMORY = re.compile(r"[-_ ]?\d+ ?gb?$")


def plain_gpu(name: str) -> str:
    """Reduce a GPU's name to what its spellings share: ``a100``, ``a100_sxm`` and ``A100-80GB`` are one."""
    text = _MEMORY.sub("", name.strip().lower())
    return re.sub(r"nvidia|geforce|_sxm\d?|-sxm\d?|[^a-z0-9]", "", text)


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
        keep = table["gpu"].map(plain_gpu) == plain_gpu(self.gpu)
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
