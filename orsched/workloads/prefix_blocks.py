"""Prefix blocks: which prompts begin alike, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orsched.checks import check_whole
from orsched.errors import InputError
from orsched.work import Ints

MOST_BLOCKS = 1_000_000_000
"""Most prefix blocks of a workload."""


@dataclass(frozen=True, slots=True, eq=False)
class PrefixBlocks:
    """Ids of the prompts' blocks of tokens; two prompts agree up to the end of a block exactly if both have its id.

    An id stands for a block *and all before it*, as the chained hashes of Mooncake and vLLM do: it always follows the
    same id. Build it with `PrefixBlocks.of`, which checks that. A prompt of ``l`` tokens has at most
    ``ceil(l / block_tokens)`` of them; what comes after its last one is shared with nobody. Ids are labels without a
    meaning of their own.

    Parameters
    ----------
    block_tokens : int
        Tokens of a block, >= 1.
    ids : ndarray of int64
        Ids of all blocks, request after request, >= 0; shape ``(total,)``.
    offsets : ndarray of int64
        Request ``i`` has ``ids[offsets[i]:offsets[i + 1]]``; shape ``(n + 1,)``.

    Raises
    ------
    InputError
        When `block_tokens` is no whole number >= 1.
    """

    block_tokens: int
    ids: Ints
    offsets: Ints

    def __post_init__(self) -> None:
        check_whole(self, "block_tokens")
        for column in (self.ids, self.offsets):
            column.setflags(write=False)

    @classmethod
    def of(cls, block_tokens: int, ids: ArrayLike, counts: ArrayLike) -> PrefixBlocks:
        """Check ids and number them anew, 0, 1, ..., in the order in which they first appear.

        Parameters
        ----------
        block_tokens : int
            Tokens of a block.
        ids : array_like of int
            Ids of all blocks, request after request; any whole numbers.
        counts : array_like of int
            How many of them each request has; shape ``(n,)``.

        Raises
        ------
        InputError
            When something is no whole number, the counts do not add up, or an id follows two different ones: the
            message names the request (from 1).
        """
        flat, sizes = _whole("ids", ids), _whole("counts", counts).astype(np.int64)
        if sizes.min(initial=0) < 0 or sizes.sum() != len(flat):
            raise InputError(
                f"PrefixBlocks: counts add up to {sizes.sum()} and must be >= 0, there are {len(flat)} ids"
            )
        if len(flat) > MOST_BLOCKS:
            raise InputError(f"PrefixBlocks: {len(flat):,} blocks, at most {MOST_BLOCKS:,}")
        _, first, label = np.unique(flat, return_index=True, return_inverse=True)
        number = np.empty(len(first), dtype=np.int64)
        number[np.argsort(first)] = np.arange(len(first))
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        blocks = cls(block_tokens, number[label], offsets)
        blocks._check_chains(flat)
        return blocks

    def __len__(self) -> int:
        """Return the number of requests."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> Ints:
        """Blocks of each request, shape ``(n,)``."""
        return np.diff(self.offsets)

    @property
    def repeated_share(self) -> float:
        """Share of all blocks that an earlier request had: what a cache without limit finds, request by request.

        A last block that the prompt does not fill counts as one. 0 if there are no blocks.
        """
        return 1 - len(np.unique(self.ids)) / len(self.ids) if len(self.ids) else 0.0

    def of_request(self, request: int) -> list[int]:
        """Ids of one request, first block first."""
        ids: list[int] = self.ids[self.offsets[request] : self.offsets[request + 1]].tolist()
        return ids

    def take(self, rows: Ints) -> PrefixBlocks:
        """Blocks of the requests in `rows`, under the same ids."""
        sizes = self.counts[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
        return PrefixBlocks(self.block_tokens, self.ids[np.repeat(self.offsets[rows], sizes) + within], offsets)

    def apart(self, group: Ints) -> PrefixBlocks:
        """The same blocks, shared only within a group of requests: ids of another group are other ids.

        Parameters
        ----------
        group : ndarray of int64
            Group of each request, >= 0; shape ``(n,)``.
        """
        size = int(self.ids.max(initial=-1)) + 1
        return PrefixBlocks(self.block_tokens, self.ids + size * np.repeat(group, self.counts), self.offsets)

    def check_lengths(self, input_tokens: Ints) -> None:
        """Refuse more blocks than a prompt has; raises InputError that names the request (from 1)."""
        if len(self) != len(input_tokens):
            raise InputError(f"prefix blocks of {len(self)} requests were given for {len(input_tokens)} requests")
        most = -(-input_tokens // self.block_tokens)
        if np.any(over := self.counts > most):
            row = int(np.argmax(over))
            raise InputError(
                f"request {row + 1} has {self.counts[row]} prefix blocks: its prompt of {input_tokens[row]} tokens has "
                f"at most {most[row]} of {self.block_tokens}"
            )

    def _check_chains(self, given: NDArray[np.integer]) -> None:
        before = np.concatenate([[-1], self.ids])[:-1]
        before[self.offsets[:-1][self.counts > 0]] = -1
        usual = np.empty(int(self.ids.max(initial=-1)) + 1, dtype=np.int64)
        usual[self.ids[::-1]] = before[::-1]
        if np.any(other := usual[self.ids] != before):
            at = int(np.argmax(other))
            row = int(np.searchsorted(self.offsets, at, side="right"))
            raise InputError(
                f"prefix block {given[at]} of request {row} does not follow the block that it follows elsewhere: an id "
                "stands for a block and all before it"
            )


def _whole(name: str, values: ArrayLike) -> NDArray[np.integer]:
    numbers = np.asarray(values)
    if numbers.size == 0:
        return np.zeros(0, dtype=np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise InputError(f"PrefixBlocks: {name} must be whole numbers in one row, got {numbers.dtype} {numbers.shape}")
    return numbers
