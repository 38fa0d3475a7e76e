"""A policy: a frozen bundle of one-method parts, with null defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from orsched.engine.plan import Plan
from orsched.errors import InputError

if TYPE_CHECKING:
    from orsched.engine.view import FleetView, InstanceView


class Information(IntEnum):
    """What a policy may know about output lengths before a request ends; each level includes those before."""

    NONE = 0
    CLASS = 1
    PREDICTED = 2
    ORACLE = 3

    @property
    def label(self) -> str:
        """Lower-case name for tables."""
        return self.name.lower()


class Batcher(Protocol):
    """Decides what runs next on an instance."""

    def __call__(self, view: InstanceView, /) -> Plan:
        """Return the plan for the next epoch. Must depend on the view only."""
        ...


class Router(Protocol):
    """Decides which instance serves a request."""

    def __call__(self, view: FleetView, request: int, /) -> int:
        """Return the instance's index."""
        ...


class LengthKey(Protocol):
    """A number computed from a request's lengths: its class or its place in the queue."""

    def __call__(self, input_tokens: int, output_tokens: int | None, /) -> float:
        """`output_tokens` is None when the policy's information does not cover it."""
        ...


def only_instance(view: FleetView, request: int, /) -> int:
    """Route to the one instance there is; a fleet of several needs a real router."""
    if view.size != 1:
        raise InputError(
            f"the policy has no router but the fleet has {view.size} instances; "
            "give it one, for example policy.routed_by(policies.get_router('jsq'))"
        )
    return 0


@dataclass(frozen=True, slots=True)
class Policy:
    """An online policy.

    Parameters
    ----------
    name : str
        Label in tables.
    batch : Batcher
        Called at every decision epoch of an instance.
    route : Router
        Called at every arrival.
    information : Information
        What it may know about output lengths; enforced by the view and printed in tables.
    num_classes : int
        Number of waiting queues and cohorts it tells apart.
    classify : LengthKey, optional
        Class of a request, ``0 .. num_classes - 1``; sees output lengths from `Information.CLASS` on, as the
        environment's announcement of the class. None: one class.
    order : LengthKey, optional
        Queue key, smallest first; sees output lengths with `Information.ORACLE` only. None: first come first served.
    settings : mapping
        Parameters and derived quantities (bins, thresholds) to print with results.
    """

    name: str
    batch: Batcher
    route: Router = only_instance
    information: Information = Information.NONE
    num_classes: int = 1
    classify: LengthKey | None = None
    order: LengthKey | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.num_classes < 1:
            raise InputError(f"Policy.num_classes = {self.num_classes}: must be >= 1")
        if self.num_classes > 1 and self.classify is None:
            raise InputError(f"policy {self.name!r} has {self.num_classes} classes and nothing to classify with")

    def routed_by(self, router: Router) -> Policy:
        """The same policy behind another router.

        Raises
        ------
        InputError
            When `router` cannot be called: a name is looked up with `policies.get_router`.
        """
        if not callable(router):
            raise InputError(f"router {router!r} is no router: look names up with policies.get_router")
        return replace(self, route=router)
