"""Identical requests pooled: the programmes count them instead of naming them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fluid.hindsight.rounds import Ints, RoundInstance


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    """Groups of requests with the same arrival, prompt and output; columns of shape ``(g,)``, by output length.

    Parameters
    ----------
    arrival, prompt, output : ndarray of int64
        What the members share.
    count : ndarray of int64
        Members of each pool.
    pool_of : ndarray of int64, shape (n,)
        Pool of each request.
    """

    arrival: Ints
    prompt: Ints
    output: Ints
    count: Ints
    pool_of: Ints

    @classmethod
    def of(cls, instance: RoundInstance) -> Pools:
        """Pool an instance."""
        columns = np.stack([instance.output_tokens, instance.prompt_tokens, instance.arrival_rounds], axis=1)
        kinds, pool_of, count = np.unique(columns, axis=0, return_inverse=True, return_counts=True)
        output, prompt, arrival = kinds.T
        return cls(arrival.copy(), prompt.copy(), output.copy(), count.astype(np.int64), pool_of.reshape(-1))

    def __len__(self) -> int:
        return len(self.count)

    def members(self, pool: int) -> Ints:
        """The requests in one pool."""
        return np.flatnonzero(self.pool_of == pool)


def latest_starts(instance: RoundInstance, pools: Pools) -> Ints:
    """Round after which no optimal schedule starts a request of each pool, shape ``(g,)``.

    Proof. After the last arrival an optimal schedule has no empty round before its last completion: starting
    everything behind such a round one round earlier keeps it valid and lowers TEL. So when a request starts
    at p, the rounds from the last arrival to p are all covered by the o rounds of the other requests:
    ``p <= max a + sum_{j != i} o_j``.
    """
    return int(instance.arrival_rounds.max()) + int(instance.output_tokens.sum()) - pools.output
