"""Laws of a request's two lengths: prompt and output, together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from orsched.checks import token_column
from orsched.errors import InputError
from orsched.work import Ints
from orsched.workloads.marginals import Marginal


class LengthLaw(Protocol):
    """Anything that can draw pairs of lengths."""

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw `n` pairs ``(input_tokens, output_tokens)``, whole numbers >= 1, arrays of shape ``(n,)``."""
        ...


@dataclass(frozen=True, slots=True)
class Independent:
    """Prompt and output drawn independently, each from its own child stream.

    Changing one law therefore leaves the draws of the other as they were (common random numbers).

    Parameters
    ----------
    inputs, outputs : Marginal
        Laws of the prompt and of the output length.
    """

    inputs: Marginal
    outputs: Marginal

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw `n` pairs; arrays of shape ``(n,)``."""
        for_inputs, for_outputs = rng.spawn(2)
        return self.inputs.sample(n, for_inputs), self.outputs.sample(n, for_outputs)


@dataclass(frozen=True, slots=True, eq=False)
class JointSample:
    """Rows of a table, drawn with replacement: keeps the dependence between prompt and output length.

    Parameters
    ----------
    input_tokens, output_tokens : ndarray of int64
        Lengths of the same requests, whole numbers >= 1, both of shape ``(k,)``; copied, then read-only.

    Raises
    ------
    InputError
        If a length is not a whole number >= 1 or the columns differ in length.
    """

    input_tokens: Ints
    output_tokens: Ints

    def __post_init__(self) -> None:
        for field in ("input_tokens", "output_tokens"):
            object.__setattr__(self, field, token_column(f"JointSample.{field}", getattr(self, field)))
        if len(self.input_tokens) != len(self.output_tokens):
            raise InputError(
                f"JointSample: {len(self)} input_tokens but {len(self.output_tokens)} output_tokens: one each"
            )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.input_tokens)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Draw `n` rows; arrays of shape ``(n,)``."""
        rows = rng.integers(0, len(self), size=n)
        return self.input_tokens[rows], self.output_tokens[rows]
