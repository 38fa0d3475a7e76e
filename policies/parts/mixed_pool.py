"""A mixed pool between prompt and token instances: who serves the phases of a request, after Splitwise's scheduler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from orsched.engine.actions import KEEP, Assign, Routing
from orsched.engine.pool import EVERY
from orsched.engine.state import State
from orsched.group import Role

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

MIXED_TIER = "mixed"
"""Tier of the instances that are in the mixed pool for the time being."""

_BOOKS = "mixed pool"


class Journey(NamedTuple):
    """Where a request is prefilled and where it decodes, decided at its arrival."""

    prompt: int
    token: int


@dataclass(slots=True)
class Books:
    """What the scheduler has promised: its state in one run.

    Parameters
    ----------
    homes : tuple of Assign
        What brings each instance back to the pool that it belongs to.
    committed : list of dict
        By instance: request -> KV blocks promised to it there.
    """

    homes: tuple[Assign, ...]
    committed: list[dict[int, int]]
    journeys: dict[int, Journey] = field(default_factory=dict)

    @classmethod
    def of(cls, view: FleetView) -> Books:
        """The books of this run, opened at the first decision."""
        found = view.memo.get(_BOOKS)
        if found is None:
            homes = tuple(Assign(i, view.tier(i), view.role(i)) for i in range(view.size))
            found = view.memo[_BOOKS] = cls(homes, [{} for _ in homes])
        books: Books = found
        return books

    def settle(self, view: FleetView) -> None:
        """Strike out what has ended, or has moved on, on instances that have changed."""
        changed = view.changed(_BOOKS)
        for instance in changed:
            committed = self.committed[instance]
            for request in list(committed):
                if view.done(request):
                    self.forget(request)
                elif instance not in (self.journeys[request].token, view.instance_of(request)):
                    del committed[request]
        changed.clear()

    def forget(self, request: int) -> None:
        """Strike out a request that has ended or starts again."""
        for instance in set(self.journeys.pop(request, ())):
            self.committed[instance].pop(request, None)

    def blocks(self, instance: int) -> int:
        """KV blocks promised on an instance."""
        return sum(self.committed[instance].values())


class Pools(NamedTuple):
    """Instances that serve, by the pool they are in now."""

    prompt: list[int]
    token: list[int]
    mixed: list[int]


@dataclass(frozen=True, slots=True)
class Pooling:
    """Router and placer of Splitwise's mixed-pool scheduler: both instances of a request are chosen at its arrival.

    Parameters
    ----------
    max_pending_tokens : int
        An instance with a queue takes no prompt that would bring its pending prompt tokens above this.
    output_tokens : callable
        ``output_tokens(view, request)``: its output length as far as it is known or assumed.
    """

    max_pending_tokens: int
    output_tokens: Callable[[FleetView, int], int]

    def route(self, view: FleetView, request: int) -> Routing:
        """Choose where `request` is prefilled and where it decodes; move instances between pools."""
        books = Books.of(view)
        books.forget(request)
        books.settle(view)
        actions: list[Assign] = []
        pools = self._pools(view, books, actions)
        prompt = self._prompt_instance(view, request, pools.prompt)
        if prompt is None:
            prompt = self._prompt_instance(view, request, pools.mixed)
        token = self._token_instance(view, books, request, pools.token)
        if prompt is None and pools.token:
            prompt = min(pools.token, key=lambda i: _pending_tokens(view, i))
            _convert(prompt, pools.token, pools.mixed, actions)
        if token is None and prompt in pools.prompt:
            token = self._token_instance(view, books, request, pools.mixed)
            if token is None:
                token = min(pools.prompt, key=books.blocks)
                _convert(token, pools.prompt, pools.mixed, actions)
        if prompt is None:
            every = [*pools.prompt, *pools.mixed]
            if not every:
                return KEEP
            prompt = min(every, key=lambda i: _pending_tokens(view, i))
            token = None
        self._promise(view, books, request, Journey(prompt, prompt if token is None else token))
        return Routing(prompt, tuple(actions))

    def place(self, view: FleetView, request: int) -> int | None:
        """The instance chosen at its arrival; if it serves no more, another one, or its own when none has room."""
        books = Books.of(view)
        here = view.instance_of(request)
        token = books.journeys[request].token
        if token == here or view.state(token) is State.SERVING:
            return token
        books.forget(request)
        books.settle(view)
        pools = self._pools(view, books, [])
        found = self._token_instance(view, books, request, pools.token)
        if found is None and here in pools.prompt:
            found = self._token_instance(view, books, request, pools.mixed)
        token = here if found is None else found
        self._promise(view, books, request, Journey(here, token))
        return token

    def _pools(self, view: FleetView, books: Books, actions: list[Assign]) -> Pools:
        """Who is in which pool, once mixed instances that are free have returned home."""
        pools = Pools([], [], [])
        for instance in view.members(EVERY):
            home = books.homes[instance]
            mixed = view.tier(instance) == MIXED_TIER
            if mixed and not (view.in_system(instance) or books.committed[instance]):
                actions.append(home)
                mixed = False
            pool = pools.mixed if mixed else pools.prompt if home.role is Role.PREFILL else pools.token
            pool.append(instance)
        return pools

    def _prompt_instance(self, view: FleetView, request: int, pool: list[int]) -> int | None:
        """The one with the fewest pending tokens, unless its queue is long."""
        if not pool:
            return None
        best = min(pool, key=lambda i: _pending_tokens(view, i))
        pending = _pending_tokens(view, best) + view.prompt_tokens(request)
        return None if view.num_waiting(best) and pending > self.max_pending_tokens else best

    def _token_instance(self, view: FleetView, books: Books, request: int, pool: list[int]) -> int | None:
        """The one with the least promised memory, unless prompt and output do not fit."""
        if not pool:
            return None
        best = min(pool, key=books.blocks)
        full = books.blocks(best) + self._blocks(view, request, best) >= view.capacity_blocks(best)
        return None if full else best

    def _blocks(self, view: FleetView, request: int, instance: int) -> int:
        return view.blocks_for(instance, view.input_tokens(request) + self.output_tokens(view, request))

    def _promise(self, view: FleetView, books: Books, request: int, journey: Journey) -> None:
        books.journeys[request] = journey
        prompt, token = journey
        books.committed[prompt][request] = view.blocks_for(prompt, view.prompt_tokens(request))
        books.committed[token][request] = self._blocks(view, request, token)


def _convert(instance: int, pool: list[int], mixed: list[int], actions: list[Assign]) -> None:
    """Move an instance to the mixed pool."""
    pool.remove(instance)
    mixed.append(instance)
    actions[:] = [action for action in actions if action.instance != instance]
    actions.append(Assign(instance, MIXED_TIER, Role.PREFILL))


def _pending_tokens(view: FleetView, instance: int) -> int:
    """Prompt tokens that an instance has not processed, and one for every request beyond its prompt."""
    prompts = view.num_waiting(instance) + len(view.prefilling(instance))
    return view.backlog_tokens(instance) + view.in_system(instance) - prompts
