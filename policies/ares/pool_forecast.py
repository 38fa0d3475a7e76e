"""The decode pool as it is predicted to become: loads and memory of every instance, and what one move changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orsched.work import Floats
from policies.ares.lengths import RemainingLength
from policies.ares.residents import Residents, residents_of
from policies.parts.load_forecast import LoadForecast, discounted, horizon, loads_of
from policies.parts.memory_forecast import MemoryForecast, blocks_of

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class Horizon:
    """The iterations ahead that are looked at, ``0, step, ..., (count - 1) step``, and their weights ``gamma^h``.

    `horizon` and `discounted` say what is allowed.
    """

    step: int
    count: int
    gamma: float = 1.0

    def __post_init__(self) -> None:
        discounted(self.ahead, self.gamma)

    @property
    def ahead(self) -> Floats:
        """Shape ``(count,)``."""
        return horizon(self.step, self.count)


class PoolForecast:
    """Loads and memory of identical instances over a horizon; all instances by their place in the pool.

    Parameters
    ----------
    residents : sequence of Residents
        One per instance.
    horizon : Horizon
        How far to look.
    block_tokens, capacity_blocks, most_requests : int
        Of each instance: tokens in a KV block, blocks, requests in a batch.

    Attributes
    ----------
    residents : sequence of Residents
        As given: moves do not change them.
    load : LoadForecast
        KV tokens read.
    memory : MemoryForecast
        KV blocks held.
    counts : ndarray of int64
        Requests on each instance after the moves so far; shape ``(n,)``.
    left : list of ndarray of bool
        For each instance, which of its residents may still be moved; shape ``(r,)`` each.
    """

    __slots__ = ("_blocks", "_loads", "_most_requests", "counts", "left", "load", "memory", "residents")

    def __init__(
        self,
        residents: Sequence[Residents],
        horizon: Horizon,
        block_tokens: int,
        capacity_blocks: int,
        most_requests: int,
    ) -> None:
        ahead = horizon.ahead
        pairs = [(one.context_tokens, one.remaining_tokens) for one in residents]
        self.residents = residents
        self._loads = [loads_of(*pair, ahead) for pair in pairs]
        self._blocks = [blocks_of(*pair, ahead, horizon.step, block_tokens) for pair in pairs]
        self._most_requests = most_requests
        self.load = LoadForecast([each.sum(axis=0) for each in self._loads], discounted(ahead, horizon.gamma))
        self.memory = MemoryForecast([each.sum(axis=0) for each in self._blocks], capacity_blocks)
        self.counts = np.array([len(one) for one in residents], dtype=np.int64)
        self.left = [one.movable.copy() for one in residents]

    @classmethod
    def of(cls, view: FleetView, members: Sequence[int], horizon: Horizon, remaining: RemainingLength) -> PoolForecast:
        """Look at `members`, identical instances, at least one."""
        first = members[0]
        hardware = view.hardware(first)
        residents = [residents_of(view, member, remaining) for member in members]
        return cls(residents, horizon, hardware.block_tokens, view.capacity_blocks(first), hardware.max_num_seqs)

    def changes(self, source: int, targets: Sequence[int]) -> Floats:
        """Change of the score when a resident of `source` moves; shape ``(r, k)``."""
        return self.load.change(source, targets, self._loads[source])

    def allowed(self, source: int, targets: Sequence[int]) -> NDArray[np.bool_]:
        """Whether a resident of `source` may move and would fit at all times; shape ``(r, k)``."""
        seats = self.counts[targets] < self._most_requests
        return self.memory.fits(targets, self._blocks[source]) & seats & self.left[source][:, None]

    def move(self, source: int, target: int, resident: int) -> int:
        """Count a resident of `source`, by its place there, at `target`; returns the request, which stays there."""
        self.load.move(source, target, self._loads[source][resident])
        self.memory.move(source, target, self._blocks[source][resident])
        self.counts[source] -= 1
        self.counts[target] += 1
        self.left[source][resident] = False
        return int(self.residents[source].requests[resident])
