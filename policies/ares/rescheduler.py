"""Rescheduling of a decode pool by predicted load: a greedy pass of migrations at equal distances in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orsched.checks import check_number, check_whole
from orsched.engine.actions import Migrate
from orsched.engine.pool import DECODERS
from orsched.service import Batch, ServiceModel
from policies.ares.lengths import RemainingLength
from policies.ares.migration_time import MigrationTime
from policies.ares.pairing import Pairing
from policies.ares.pool_forecast import Horizon, PoolForecast

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


class Choice(NamedTuple):
    """A move: a resident of `source`, by its place there, to `target`; instances by their places in the pool."""

    source: int
    target: int
    resident: int


@dataclass(frozen=True, slots=True)
class Rescheduler:
    """Moves decoding requests from instances that are predicted to be loaded to those that are not.

    Ours, in place of the rescheduling of ARES / STAR (arXiv 2510.13668), whose formulas are not in what we could read.
    With ``W_i(h)`` the KV tokens that instance ``i`` reads ``h`` iterations ahead, ``S = sum_h gamma^h Var_i W_i(h)``
    (`policies.parts.load_forecast`), and means over the horizon:

    1. *Sources* have a mean load above ``(1 + margin)`` times the pool's mean, or are predicted to run out of memory;
       *targets* have one below the pool's mean.
    2. A request may move when it decodes, is not migrating, has more than one token left, takes part for longer than
       ``alpha`` times its migration takes (``rest x step time > alpha T``), lowers S, and fits on the target at every
       iteration of the horizon.
    3. The move that lowers S most per KV byte is made, in the forecast too; again from 1, at most `most_moves` times.

    The step time is that of an instance with an equal share of the requests and of the present load.

    Parameters
    ----------
    horizon : Horizon
        How far to look.
    remaining : RemainingLength
        What requests are taken to have left.
    pairing : Pairing
        Which pairs of sources and targets are looked at.
    time : MigrationTime
        How long migrations take.
    most_moves : int
        In one pass, >= 1.
    alpha : float
        How many times its migration's time a request must stay, >= 0.
    margin : float
        By how much a source is above the mean, relative to it, >= 0.

    Raises
    ------
    InputError
        Naming the field that is out of range.
    """

    horizon: Horizon
    remaining: RemainingLength
    pairing: Pairing
    time: MigrationTime
    most_moves: int
    alpha: float = 1.0
    margin: float = 0.0

    def __post_init__(self) -> None:
        check_whole(self, "most_moves")
        check_number(self, "alpha")
        check_number(self, "margin")

    def __call__(self, view: FleetView, /) -> Sequence[Migrate]:
        """Return the migrations to order now."""
        members = view.members(DECODERS)
        if len(members) < 2:
            return []
        pool = PoolForecast.of(view, members, self.horizon, self.remaining)
        return self.moves(pool, members, equal_share_step_s(pool, view.hardware(members[0]).service))

    def moves(self, pool: PoolForecast, members: Sequence[int], step_s: float) -> list[Migrate]:
        """Choose the moves of a pass, which are made in `pool`; parameters as for `best`."""
        orders: list[Migrate] = []
        while len(orders) < self.most_moves and (best := self.best(pool, members, step_s)) is not None:
            orders.append(Migrate(pool.move(*best), members[best.target]))
        return orders

    def best(self, pool: PoolForecast, members: Sequence[int], step_s: float) -> Choice | None:
        """The move that lowers the score most per KV byte, ties to the lowest numbers; None when there is none.

        Parameters
        ----------
        pool : PoolForecast
            After the moves so far.
        members : sequence of int
            The numbers in the fleet of the pool's instances.
        step_s : float
            Time of an iteration, seconds.
        """
        loads = pool.load.mean_load()
        sources = np.flatnonzero((loads > (1 + self.margin) * loads.mean()) | pool.memory.overflows())
        targets = np.flatnonzero(loads < loads.mean())
        found, least = None, 0.0
        for source, some in self.pairing(loads, sources, targets):
            if not some or not pool.left[source].any():
                continue
            residents = pool.residents[source]
            takes_s = self.time.seconds(members[source], [members[t] for t in some], residents.context_tokens)
            rest = residents.remaining_tokens[:, None]
            stays = (rest > 1) & (rest * step_s > self.alpha * takes_s)
            worth = pool.changes(source, some) / residents.context_tokens[:, None]
            worth = np.where(stays & pool.allowed(source, some), worth, 0.0)
            row, column = divmod(int(worth.argmin()), len(some))
            if worth[row, column] < least:
                found, least = Choice(source, some[column], row), float(worth[row, column])
        return found


def equal_share_step_s(pool: PoolForecast, service: ServiceModel) -> float:
    """Time of the next decode iteration of an instance with an equal share of the pool's requests and load, seconds."""
    requests = max(float(pool.counts.mean()), 1.0)
    tokens = float(pool.load.loads[:, 0].mean())
    return service.iteration_s(Batch(num_seqs=requests, kv_tokens=tokens, longest_kv_tokens=tokens / requests))
