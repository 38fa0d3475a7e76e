"""Sorted-F's batches: requests grouped by what a batch costs those that wait behind it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.work import Ints

Select = Callable[[Ints, Ints, int], list[int]]
"""``select(sizes, outputs, capacity)``: indices of a batch whose sizes sum to at most the capacity, at least one.

Sizes are what requests hold at their peak; each is at most the capacity.
"""


def f_value(outputs: Ints) -> Fraction:
    """``F(X) = (sum of output lengths) / |X|^2`` of a batch, tokens (arXiv 2508.06133)."""
    return Fraction(int(outputs.sum()), len(outputs) ** 2)


def next_batch(sizes: Ints, outputs: Ints, capacity: int, select: Select) -> list[int]:
    """Indices of the batch that `select` chooses, by increasing output length, ties by index."""
    return sorted(select(sizes, outputs, capacity), key=lambda i: (outputs[i], i))


def batches(prompt_tokens: ArrayLike, output_tokens: ArrayLike, memory_tokens: int, select: Select) -> list[list[int]]:
    """Group all requests into batches, the one with the least F of those that are left first.

    Parameters
    ----------
    prompt_tokens, output_tokens : array of int, shape (n,)
        s and o of the round model: a request holds at most ``s + o`` tokens.
    memory_tokens : int
        M. The peaks of a batch sum to at most M.
    select : callable
        How the batch with the least F is looked for, see `Select`.

    Returns
    -------
    list of list of int
        Every request once; inside a batch by increasing output length.

    Raises
    ------
    InputError
        When the columns differ in length, a length is not a whole number (prompts >= 0, outputs >= 1), or a request
        does not fit into the memory.

    Notes
    -----
    F, the repeated selection and the order inside a batch: arXiv 2508.06133, known to us at second hand. That a batch
    is feasible when its peaks sum to at most M is our reading.
    """
    outputs = np.asarray(output_tokens)
    sizes = np.asarray(prompt_tokens) + outputs if np.shape(prompt_tokens) == outputs.shape else None
    if sizes is None or outputs.ndim != 1:
        raise InputError(f"batches: {np.shape(prompt_tokens)} prompts and {outputs.shape} outputs, need one each")
    if not (np.issubdtype(sizes.dtype, np.integer) and (outputs >= 1).all() and (sizes >= outputs).all()):
        raise InputError("batches: prompts must be whole numbers >= 0, outputs whole numbers >= 1")
    if (sizes > memory_tokens).any():
        row = int(np.argmax(sizes))
        raise InputError(f"batches: request {row} needs {sizes[row]} tokens, the memory is {memory_tokens}")
    left = np.arange(len(sizes))
    found = []
    while len(left):
        chosen = next_batch(sizes[left], outputs[left], memory_tokens, select)
        found.append(left[chosen].tolist())
        left = np.delete(left, chosen)
    return found
