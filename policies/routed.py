"""Any batcher behind any router: the fleet system that is put together from registered parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.workloads import Workload
from policies.registry import get_recipe, get_router
from policies.routers import SLOAdmission
from policies.system import System


@dataclass(frozen=True, slots=True)
class RoutedSettings:
    """Which parts.

    Parameters
    ----------
    batcher : str
        A registered policy; it plans the batches of every instance.
    router : str
        A registered router.

    Raises
    ------
    UnknownNameError
        When there is none of that name; the message suggests the nearest.
    """

    batcher: str = "vllm-v1"
    router: str = "jsq"

    def __post_init__(self) -> None:
        get_recipe(self.batcher)
        get_router(self.router)


def routed(workload: Workload, fleet: Fleet, settings: RoutedSettings) -> Policy:
    """Build the batcher for `workload` on `fleet` and put it behind the router.

    Raises
    ------
    InputError
        When the batcher cannot run there, or the router has nothing to go by.
    """
    router = get_router(settings.router)
    built = get_recipe(settings.batcher).build(workload, fleet).routed_by(router)
    if isinstance(router, SLOAdmission):
        router.require_objectives(workload)
    return replace(built, settings={**built.settings, "batcher": settings.batcher, "router": settings.router})


SYSTEMS = (System("routed", "any registered batcher behind any registered router", RoutedSettings, routed),)
