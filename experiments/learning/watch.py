"""What the environment sees of a run while it goes on."""

from __future__ import annotations

from dataclasses import replace

from experiments.learning.rewards import Return
from orsched.engine.actions import Routing
from orsched.engine.fleet_view import FleetView
from orsched.engine.plan import Plan
from orsched.engine.view import InstanceView
from orsched.policy import Policy


class Watch:
    """Stands between the engine and a policy, changes nothing, and keeps the account of rewards.

    Parameters
    ----------
    policy : Policy
        What decides.
    account : Return
        Looks at every decision epoch.

    Attributes
    ----------
    policy : Policy
        The same, watched.
    view : InstanceView
        The instance that is at a decision epoch; there is one from the first arrival on.
    """

    view: InstanceView

    def __init__(self, policy: Policy, account: Return) -> None:
        self.policy = replace(policy, batch=self._batch, route=self._route)
        self._watched = policy
        self._account = account
        self._numbers: dict[int, int] = {}

    @property
    def now_s(self) -> float:
        """The time at that epoch, seconds."""
        return self.view.now_s

    @property
    def instance(self) -> int:
        """The number of that instance."""
        return self._numbers[id(self.view)]

    def _batch(self, view: InstanceView, /) -> Plan:
        self.view = view
        self._account.look(view)
        return self._watched.batch(view)

    def _route(self, view: FleetView, request: int, /) -> int | Routing | None:
        if not self._numbers:
            self._numbers = {id(view.instance(number)): number for number in range(view.size)}
        return self._watched.route(view, request)
