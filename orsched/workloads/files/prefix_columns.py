"""The prefix blocks that a file may carry: a list of ids in a cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orsched.errors import InputError
from orsched.work import Ints
from orsched.workloads.files.cells import Cells
from orsched.workloads.prefix_blocks import PrefixBlocks

MOONCAKE_BLOCK_TOKENS = 512
"""Tokens of a block where the file does not say, as in Mooncake's traces (FAST'25 release)."""

MOST_ID = 2**63 - 1
"""Largest id."""


def read_prefix_blocks(cells: Cells, written: Mapping[str, str], input_tokens: Ints) -> PrefixBlocks | None:
    """Read the prefix blocks of each request from the columns of `dialects.PREFIX_COLUMNS`; None if there are none.

    A cell of ``hash_ids`` is a list of whole numbers, in a CSV file a list in JSON. The ids are numbered anew.

    Raises
    ------
    InputError
        At the first row whose cell is no such list, has more ids than the prompt has blocks, or gives an id another
        predecessor than an earlier row did; or when ``hash_block_tokens`` is not the same number in all rows.
    """
    if "hash_ids" not in written:
        return None
    block_tokens = MOONCAKE_BLOCK_TOKENS
    if "hash_block_tokens" in written:
        column = written["hash_block_tokens"]
        sizes = cells.whole(column, least=1)
        if np.any(other := sizes != sizes[0]):
            row = int(np.argmax(other))
            raise cells.refuse(row, column, f"{sizes[row]} but row 1 has {sizes[0]}: one block size for all requests")
        block_tokens = int(sizes[0])
    column = written["hash_ids"]
    rows = [_ids(cells, column, row, cell) for row, cell in enumerate(cells.columns[column])]
    counts = np.array([len(ids) for ids in rows])
    most = -(-input_tokens // block_tokens)
    if np.any(over := counts > most):
        row = int(np.argmax(over))
        problem = f"{counts[row]} ids, a prompt of {input_tokens[row]} tokens has at most {most[row]} blocks"
        raise cells.refuse(row, column, f"{problem} of {block_tokens}")
    try:
        return PrefixBlocks.of(block_tokens, np.concatenate(rows), counts)
    except InputError as error:
        raise InputError(f"{cells.file.path}, column {column}: {error}") from None


def _ids(cells: Cells, column: str, row: int, cell: Any) -> NDArray[np.int64]:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            cell = None
    if isinstance(cell, list) and all(type(number) is int and 0 <= number <= MOST_ID for number in cell):
        return np.array(cell, dtype=np.int64)
    if isinstance(cell, np.ndarray) and cell.dtype.kind in "iu" and np.all((cell >= 0) & (cell <= MOST_ID)):
        return cell.astype(np.int64).reshape(-1)
    raise cells.refuse(row, column, "not a list of whole numbers >= 0")
