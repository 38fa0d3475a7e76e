"""Splitwise (ISCA '24): prompt and token instances, and a pool between them that grows and shrinks with the load."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from orsched.checks import check_whole
from orsched.engine.actions import KEEP, Assign, Routing
from orsched.engine.pool import EVERY
from orsched.engine.state import State
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.parts.prefill_first import PromptsFirst
from policies.system import System

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView

MIXED_TIER = "mixed"
"""Tier of the instances that are in the mixed pool for the time being."""

_BOOKS = "splitwise"


@dataclass(frozen=True, slots=True)
class SplitwiseSettings:
    """Limits of the pools. Sources: Mutinifni/splitwise-sim 8f99e7d (``scheduler.py``, ``instance.py``, ``configs``).

    Parameters
    ----------
    max_pending_tokens : int
        A prompt instance with a queue takes no prompt that would bring its pending prompt tokens above this
        (``prompt_max_pending_batch_tokens`` 8192 of the mixed pool's configuration, where
        ``token_max_pending_batch_tokens`` 2048 is read and never used).
    max_batch_tokens : int
        Tokens of an iteration (``max_batch_tokens`` 2048).
    max_batch_size : int
        Most requests admitted on an instance (``max_batch_size`` 512).
    max_preemptions : int
        Iterations in a row for which prompts may keep decodes out of the batch (``max_preemptions`` 4).
    lengths : {"assumed", "oracle"}
        What is known of outputs when memory is committed. ``"oracle"`` is the published simulator, which knows them;
        give the policy a predictor in its place with `Policy.predicted_by`. ``"assumed"`` (ours, the default because
        nobody knows them) takes `assumed_output_tokens` for all.
    assumed_output_tokens : int, optional
        Ours. None: the mean of the workload's law, rounded up.
    """

    max_pending_tokens: int = 8192
    max_batch_tokens: int = 2048
    max_batch_size: int = 512
    max_preemptions: int = 4
    lengths: Literal["assumed", "oracle"] = "assumed"
    assumed_output_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_pending_tokens", "max_batch_tokens", "max_batch_size"):
            check_whole(self, name)
        check_whole(self, "max_preemptions", least=0)
        if self.lengths not in ("assumed", "oracle"):
            raise InputError(f"SplitwiseSettings.lengths = {self.lengths!r}: must be 'assumed' or 'oracle'")
        if self.assumed_output_tokens is not None:
            check_whole(self, "assumed_output_tokens")


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
            kept = {}
            for request, blocks in self.committed[instance].items():
                if view.done(request):
                    self.journeys.pop(request, None)
                elif self.journeys[request].token == instance or view.instance_of(request) == instance:
                    kept[request] = blocks
            self.committed[instance] = kept
        changed.clear()

    def forget(self, request: int) -> None:
        """Strike out a request that starts again."""
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
        As in `SplitwiseSettings`.
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


def known_output(view: FleetView, request: int) -> int:
    """The output length that the policy's information says."""
    return view.output_tokens(request)


@dataclass(frozen=True, slots=True)
class AssumedOutput:
    """The same output length for all.

    Parameters
    ----------
    tokens : int
        That length.
    """

    tokens: int

    def __call__(self, view: FleetView, request: int) -> int:
        """What is assumed, or what has been emitted already if that is more."""
        return max(self.tokens, view.prompt_tokens(request) - view.input_tokens(request) + 1)


def splitwise(workload: Workload, fleet: Fleet, settings: SplitwiseSettings) -> Policy:
    """Splitwise's cluster scheduler with the mixed pool, and its batches of prompts before decodes.

    Prefill groups are the prompt pool, decode groups the token pool; the mixed pool is empty at first.

    Notes
    -----
    A converted instance has the engine's role prefill and the tier `MIXED_TIER`: it takes new requests, may be chosen
    to decode for others, and a prompt that it finishes goes where was decided; the engine's role mixed would keep
    every request where it was prefilled. It returns to its pool at the next arrival after its last request has left and
    nothing is promised there; no decision is taken in between.

    Ours:

    - A request whose prompt runs in the mixed pool decodes in the token pool or where it is, never on another mixed
      instance, nor is a prompt instance converted for it. A finished prompt holds its memory until the target has room,
      and two mixed instances that are full of prompts for each other would wait for ever. (Proof that none wait in a
      circle: with this rule a request goes from the prompt pool to any pool or from the mixed pool to the token
      pool, and who sends or expects requests is not free, so that it does not change its pool back. Take the latest
      of the decisions that form a circle, x to y. If x was in the prompt pool, nobody was sending to it, since that
      would have made it mixed. If x was mixed, y was in the token pool, so that y was sending to nobody.)
    - When the chosen token instance is no more, the token pool is asked again (and the mixed one, for the prompt pool).
    - All decodes of an instance pause together (`PromptsFirst`); the simulator lets as many run as fit in the limit.
    - Memory is promised in KV blocks.

    Raises
    ------
    InputError
        When the fleet's groups are not of role prefill and decode, or one is in a tier of the mixed pool's name.
    """
    roles = {group.role for group in fleet.groups}
    if roles != {Role.PREFILL, Role.DECODE}:
        raise InputError(
            f"splitwise needs prefill and decode groups and no others; the fleet has {', '.join(sorted(roles))}"
        )
    if any(group.tier == MIXED_TIER for group in fleet.groups):
        raise InputError(f"splitwise calls its mixed pool {MIXED_TIER!r}: no group may start in a tier of that name")
    oracle = settings.lengths == "oracle"
    assumed = settings.assumed_output_tokens or math.ceil(workload.output_tokens.mean())
    pooling = Pooling(settings.max_pending_tokens, known_output if oracle else AssumedOutput(assumed))
    return Policy(
        "splitwise",
        PromptsFirst(settings.max_batch_tokens, settings.max_batch_size, settings.max_preemptions),
        route=pooling.route,
        place=pooling.place,
        information=Information.ORACLE if oracle else Information.NONE,
        settings={**asdict(settings), "assumed_output_tokens": None if oracle else assumed},
    )


SYSTEMS = (
    System(
        "splitwise",
        "Splitwise: prompt and token pools and a mixed one between them, 8192 pending prompt tokens",
        SplitwiseSettings,
        splitwise,
    ),
)
