"""What happened to a fleet during a run: events of instances and requests, and samples of the load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeVar, get_args

import numpy as np

from orsched.checks import check_is
from orsched.engine.state import State
from orsched.errors import InputError
from orsched.group import Role
from orsched.step_function import StepFunction
from orsched.work import Floats, Ints

Kind = Literal[
    "start",
    "ready",
    "start-failed",
    "stop",
    "off",
    "died",
    "repaired",
    "tier",
    "role",
    "migration-started",
    "migrated",
    "migration-given-up",
    "rejected",
    "restarted",
    "link",
]
"""What can happen, see `FleetEvent`."""

KINDS: tuple[Kind, ...] = get_args(Kind)

STATE_AFTER: Mapping[Kind, State] = MappingProxyType(
    {
        "start": State.STARTING,
        "ready": State.SERVING,
        "start-failed": State.OFF,
        "stop": State.DRAINING,
        "off": State.OFF,
        "died": State.DEAD,
        "repaired": State.SERVING,
    }
)
"""The state of an instance after each event that changes it."""

Key = TypeVar("Key")

PAID = (State.STARTING, State.SERVING, State.DRAINING)
"""States in which an instance is paid for."""

NO_TIER = ""
"""How the absence of a tier is written in the detail of an event."""


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """One thing that happened.

    Parameters
    ----------
    time_s : float
        When, seconds.
    kind : str
        One of `KINDS`. Of an instance: ``start`` (ordered to start), ``ready`` (serves), ``start-failed`` (off
        again), ``stop`` (takes nothing more), ``off`` (its last request has left), ``died``, ``repaired`` (serves
        again; one that is switched off then has an ``off`` at the same time), ``tier`` and ``role`` (changed to
        `detail`), ``link`` (its bandwidth is now the share `detail`). Of a request: ``migration-started``,
        ``migrated``, ``migration-given-up`` (`instance`: its target), ``rejected`` (instance None), ``restarted`` (it
        lost its KV cache when `instance` died).
    instance : int, optional
        Which, by its number in the fleet; None where there is none.
    request : int, optional
        Which; None for events of instances.
    detail : str
        What the kind says: the new tier (`NO_TIER` for none) or role, the share of bandwidth.
    """

    time_s: float
    kind: Kind
    instance: int | None
    request: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FleetSamples:
    """The load of every instance at equal distances in time.

    Parameters
    ----------
    times_s : ndarray of float64, shape (m,)
        When, seconds.
    in_system : ndarray of int64, shape (m, n)
        Requests on each of n instances: waiting, running, parked or on their way to it.
    kv_tokens : ndarray of int64, shape (m, n)
        KV tokens cached on each.
    """

    times_s: Floats
    in_system: Ints
    kv_tokens: Ints

    def __post_init__(self) -> None:
        shape = (len(self.times_s), self.in_system.shape[-1])
        for name in ("in_system", "kv_tokens"):
            if getattr(self, name).shape != shape:
                raise InputError(f"FleetSamples.{name} has shape {getattr(self, name).shape}: must be {shape}")

    def gradient(self) -> Ints:
        """Requests in system by rank, the most loaded instance of each instant first; shape (m, n)."""
        return np.sort(self.in_system, axis=1)[:, ::-1]


class Life(NamedTuple):
    """What one instance was from an instant on."""

    time_s: float
    state: State
    tier: str | None
    role: Role


@dataclass(frozen=True, slots=True, eq=False)
class FleetLog:
    """Everything that happened to a fleet during a run.

    Parameters
    ----------
    events : tuple of FleetEvent
        In order of time.
    samples : FleetSamples, optional
        The load over time, if it was sampled.
    initial_tiers : tuple of (str or None)
        Tier of each instance at time 0.
    initial_states : tuple of State
        State of each instance at time 0.
    initial_roles : tuple of Role
        Role of each instance at time 0.

    Raises
    ------
    InputError
        When the three tuples differ in length, or a kind is none of `KINDS`.
    """

    events: tuple[FleetEvent, ...]
    samples: FleetSamples | None
    initial_tiers: tuple[str | None, ...]
    initial_states: tuple[State, ...]
    initial_roles: tuple[Role, ...]

    def __post_init__(self) -> None:
        check_is(self, "events", tuple)
        sizes = {len(self.initial_tiers), len(self.initial_states), len(self.initial_roles)}
        if len(sizes) != 1:
            raise InputError(f"FleetLog: initial tiers, states and roles of {sorted(sizes)} instances: must be as many")
        for event in self.events:
            if event.kind not in KINDS:
                raise InputError(
                    f"FleetLog: event {event.kind!r} at {event.time_s} s: must be one of {', '.join(KINDS)}"
                )

    @property
    def size(self) -> int:
        """Number of instances."""
        return len(self.initial_states)

    def count(self, kind: Kind) -> int:
        """How often something of that kind happened."""
        return sum(event.kind == kind for event in self.events)

    def times_s(self, kind: Kind) -> Floats:
        """When something of that kind happened, in order."""
        return np.array([event.time_s for event in self.events if event.kind == kind], dtype=float)

    def lives(self) -> Iterator[tuple[int, Life, Life]]:
        """Yield every change of an instance's state, tier or role: its number, what it was, and what it is then."""
        now = self._first()
        for event in self.events:
            if event.instance is None:
                continue
            was = now[event.instance]
            if event.kind in STATE_AFTER:
                becomes = was._replace(state=STATE_AFTER[event.kind])
            elif event.kind == "tier":
                becomes = was._replace(tier=None if event.detail == NO_TIER else event.detail)
            elif event.kind == "role":
                becomes = was._replace(role=Role(event.detail))
            else:
                continue
            now[event.instance] = becomes._replace(time_s=event.time_s)
            yield event.instance, was, now[event.instance]

    def states_over_time(self) -> dict[State, StepFunction]:
        """Number of instances in each state over time, for every state."""
        found = self._counts(lambda life: life.state)
        return {state: found.get(state, _never()) for state in State}

    def instances_per_tier(self) -> dict[str | None, StepFunction]:
        """Number of serving instances of each tier over time; None: of no tier. Tiers by first appearance."""
        return self._counts(lambda life: life.tier, lambda life: life.state == State.SERVING)

    def instances_per_role(self) -> dict[Role, StepFunction]:
        """Number of serving instances of each role over time."""
        return self._counts(lambda life: life.role, lambda life: life.state == State.SERVING)

    def instances_on(self) -> StepFunction:
        """Number of instances that are paid for over time: those in a state of `PAID`."""
        return self._counts(lambda life: life.state in PAID).get(True, _never())

    def _counts(
        self, key: Callable[[Life], Key], counted: Callable[[Life], bool] = lambda life: True
    ) -> dict[Key, StepFunction]:
        """Count the instances that are `counted` over time, by `key`."""
        starts: dict[Key, int] = {}
        changes: dict[Key, list[tuple[float, float]]] = {}
        for life in self._first():
            starts[key(life)] = starts.get(key(life), 0) + counted(life)
        for _, was, becomes in self.lives():
            for life, by in ((was, -1.0), (becomes, 1.0)):
                starts.setdefault(key(life), 0)
                if counted(life):
                    changes.setdefault(key(life), []).append((becomes.time_s, by))
        return {which: StepFunction.of_changes(start, changes.get(which, ())) for which, start in starts.items()}

    def _first(self) -> list[Life]:
        lives = zip(self.initial_states, self.initial_tiers, self.initial_roles, strict=True)
        return [Life(0.0, *life) for life in lives]


def _never() -> StepFunction:
    return StepFunction.of_changes(0.0, ())
