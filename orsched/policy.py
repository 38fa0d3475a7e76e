"""A policy: a frozen bundle of one-method parts, with null defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol

from orsched.checks import check_has, check_is, check_number, check_whole, has_control, shown
from orsched.engine.actions import Action, Routing
from orsched.engine.plan import Plan
from orsched.engine.pool import DECODERS
from orsched.errors import InputError
from orsched.prediction import Predictor

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView
    from orsched.engine.view import InstanceView


A_PREDICTOR = "a predictor, which is a function of a workload and a generator with a name"

MOST_CLASSES = 100_000
"""Most queues, and most cohorts, of an instance."""


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

    def __call__(self, view: FleetView, request: int, /) -> int | Routing | None:
        """Return the instance's index, or a `Routing` that says more; None keeps the request for now."""
        ...


class Placer(Protocol):
    """Decides where a finished prompt decodes."""

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the instance's index; its own lets it stay, None lets it wait until something has changed."""
        ...


class Accepter(Protocol):
    """Decides whether an instance takes a request that comes with its KV cache."""

    def __call__(self, view: InstanceView, request: int, /) -> bool:
        """Whether its KV cache may be sent now; asked between epochs. A refusal must hold while nobody leaves."""
        ...


class Controller(Protocol):
    """Gives orders to the fleet at equal distances in time."""

    def __call__(self, view: FleetView, /) -> Sequence[Action]:
        """Return what to do."""
        ...


class LengthKey(Protocol):
    """A number computed from a request's lengths: its class or its place in the queue."""

    def __call__(self, input_tokens: int, output_tokens: int | None, /) -> float:
        """`output_tokens` is None when the policy's information does not cover it."""
        ...


_PARTS = {
    "batch": "a function of the view",
    "route": "a function of the fleet's view and a request",
    "place": "a function of the fleet's view and a request",
    "accept": "a function of the view and a request",
}


def only_instance(view: FleetView, request: int, /) -> int | None:
    """Route to the one instance there is, when it serves; a fleet of several needs a real router."""
    if view.size != 1:
        raise InputError(
            f"the policy has no router but the fleet has {view.size} instances; "
            "give it one, for example policy.routed_by(policies.get_router('jsq'))"
        )
    return 0 if view.members() else None


def least_kv_decoder(view: FleetView, request: int, /) -> int | None:
    """Place on the decoding instance with the fewest KV tokens, those on their way included, ties to the lowest."""

    def then(instance: int) -> int:
        return view.resident_tokens(instance) + view.coming_tokens(instance)

    def now(instance: int) -> int:
        return view.kv_tokens(instance) + view.coming_tokens(instance)

    return view.least("resident and coming tokens", then, DECODERS, exact=now)


def fits_now(view: InstanceView, request: int, /) -> bool:
    """Accept what fits beside a block to grow for everybody who runs here or is about to."""
    room = view.free_blocks - len(view.running) - view.num_inbound
    return view.blocks_for(view.arriving_tokens(request)) <= room


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
        Called at every arrival, and again for a request it has kept.
    place : Placer
        Called when a prompt is done on an instance of role `Role.PREFILL`.
    accept : Accepter
        Called for the first request that wants to come to an instance with its KV cache.
    control : Controller, optional
        Called every `control_every_s` seconds.
    control_every_s : float, optional
        Needed with `control`, and with nothing else.
    information : Information
        What it may know about output lengths; enforced by the view and printed in tables.
    num_classes : int
        Number of waiting queues it tells apart.
    num_cohorts : int, optional
        Number of sets of requests that decode together; by default as many as classes. More of them let a policy
        pause requests that keep their KV cache (`Plan.decode`, `Plan.moves`).
    classify : LengthKey, optional
        Class of a request, ``0 .. num_classes - 1``; sees output lengths from `Information.CLASS` on, as the
        environment's announcement of the class, or predicted ones. None: one class.
    order : LengthKey, optional
        Queue key, smallest first; sees output lengths with `Information.ORACLE`, predicted ones with
        `Information.PREDICTED`. None: first come first served.
    predict : Predictor, optional
        Where predicted lengths come from; needed with `Information.PREDICTED`, and with no other.
    plans_with : {"point", "low", "high"}
        Which predicted number stands for the output length: `InstanceView.output_tokens`, queue keys and classes.
    settings : mapping
        Parameters and derived quantities (bins, thresholds) to print with results.
    takes_transfers : bool
        Whether `batch` has a meaning where requests come to an instance with their KV cache, or leave it with that. A
        policy of which this is not so runs on mixed instances, and gives no orders to migrate.

    Raises
    ------
    InputError
        Naming the field that is not so.
    """

    name: str
    batch: Batcher
    route: Router = only_instance
    place: Placer = least_kv_decoder
    accept: Accepter = fits_now
    control: Controller | None = None
    control_every_s: float | None = None
    information: Information = Information.NONE
    num_classes: int = 1
    num_cohorts: int | None = None
    classify: LengthKey | None = None
    order: LengthKey | None = None
    predict: Predictor | None = None
    plans_with: Literal["point", "low", "high"] = "point"
    settings: Mapping[str, Any] = field(default_factory=dict)
    takes_transfers: bool = True

    def __post_init__(self) -> None:
        check_is(self, "name", str)
        if not self.name.strip() or has_control(self.name):
            raise InputError(f"Policy.name = {shown(self.name)}: must be a text without control characters, not empty")
        for part, what in _PARTS.items():
            check_has(self, part, what, "__call__")
        if (self.control is None) != (self.control_every_s is None):
            raise InputError(f"policy {self.name!r}: control and control_every_s belong together")
        if self.control is not None:
            check_has(self, "control", "a function of the fleet's view", "__call__")
            check_number(self, "control_every_s", above=True, unit="seconds")
        check_is(self, "information", Information)
        check_whole(self, "num_classes", most=MOST_CLASSES)
        for part in ("classify", "order"):
            if getattr(self, part) is not None:
                check_has(self, part, "a function of two lengths", "__call__")
        if self.num_classes > 1 and self.classify is None:
            raise InputError(f"policy {self.name!r} has {self.num_classes} classes and nothing to classify with")
        if self.num_cohorts is not None:
            check_whole(self, "num_cohorts", most=MOST_CLASSES)
        if self.predict is not None:
            check_has(self, "predict", A_PREDICTOR, "__call__", "name")
        check_is(self, "settings", Mapping)
        check_is(self, "takes_transfers", bool)
        if self.plans_with not in ("point", "low", "high"):
            raise InputError(f"Policy.plans_with = {self.plans_with!r}: must be 'point', 'low' or 'high'")
        if (self.information is Information.PREDICTED) != (self.predict is not None):
            raise InputError(
                f"policy {self.name!r} declares information {self.information.label!r} and "
                f"{'a' if self.predict else 'no'} predictor: 'predicted' needs one, see policies.predictors"
            )

    def require_transfers(self, cause: str) -> None:
        """Refuse `cause`, which moves requests with their KV cache, unless the batcher takes them.

        Raises
        ------
        InputError
            When it does not.
        """
        if not self.takes_transfers:
            raise InputError(
                f"{cause}: policy {self.name!r} cannot serve requests that come with their KV cache; "
                "use groups of role 'mixed' without migrations, or another batcher"
            )

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

    def predicted_by(self, predictor: Predictor) -> Policy:
        """The same policy with predicted output lengths in place of the true ones or their classes.

        Raises
        ------
        InputError
            When `predictor` cannot be called or has no name, or the policy does not use output lengths at all.
        """
        if not callable(predictor) or not hasattr(predictor, "name"):
            raise InputError(f"predictor {predictor!r}: must be {A_PREDICTOR}, see policies.get_predictor")
        if self.information is Information.NONE:
            raise InputError(f"policy {self.name!r} uses no output lengths, so there is nothing to predict for it")
        settings = {**self.settings, "predictor": predictor.name}
        return replace(self, information=Information.PREDICTED, predict=predictor, settings=settings)
