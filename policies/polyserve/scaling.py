"""Fine-grained scaling (PolyServe, section 4.3): servers are claimed for a tier, and go back to the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.engine.actions import KEEP, Action, Assign, Routing, Start, Stop
from policies.polyserve.admission import Admission, Job
from policies.polyserve.desk import Desk, Desks

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class ClaimServers:
    """Step 3: an idle server of the pool joins the tier of the request at once, one that is off once it has started.

    Parameters
    ----------
    admits : Admission
        Tests that a server taken from another tier has to pass; an idle one need not.
    takes_over : bool
        Whether a tier without any server takes one from the tier that has most (a third party's rule). The last one of
        a tier only if that is looser, so that its requests may follow, or if nothing runs there (ours).
    starts_at_once : int
        Most servers that may be starting for one tier (ours: who waits is asked about again and again).
    """

    admits: Admission
    takes_over: bool
    starts_at_once: int

    def __call__(self, view: FleetView, desk: Desk, job: Job) -> Routing:
        """Claim a server, or keep the request waiting."""
        label = desk.desks.tiers.labels[job.tier]
        if desk.idle:
            server = desk.idle[0]
            return Routing(server, (Assign(server, label),))
        if desk.off and len(desk.starting[job.tier]) < self.starts_at_once:
            server = desk.off[0]
            return Routing(None, (Assign(server, label), Start(server)))
        if self.takes_over and not desk.members[job.tier] and not desk.starting[job.tier]:
            return self._take_over(view, desk, job, label)
        return KEEP

    def _take_over(self, view: FleetView, desk: Desk, job: Job, label: str) -> Routing:
        holder = max(range(len(desk.members)), key=lambda tier: (len(desk.members[tier]), -tier))
        if not desk.members[holder]:
            return KEEP
        server = last_server(view, desk, holder)
        if len(desk.members[holder]) < 2 and view.in_system(server) and holder < job.tier:
            return KEEP
        taken = self.admits(view, desk, server, job.tier, job)
        return Routing(server if taken else None, (Assign(server, label),))


@dataclass(frozen=True, slots=True)
class Release:
    """The periodic check of each tier's last server: it returns to the pool when it holds no request of its tier.

    Parameters
    ----------
    desks : Desks
        The router's desk.
    empty_checks : int
        Checks in a row that must find it empty.
    min_servers : int
        Servers that a tier keeps once it has them.
    """

    desks: Desks
    empty_checks: int
    min_servers: int

    def __call__(self, view: FleetView) -> list[Action]:
        """Check every tier."""
        desk = self.desks(view)
        desk.learn(view)
        actions: list[Action] = []
        for tier, members in enumerate(desk.members):
            empty = len(members) > self.min_servers and self._check(view, desk, tier)
            if empty:
                server, _ = desk.empty_checks.pop(tier)
                actions.append(Assign(server, None))
        return actions

    def _check(self, view: FleetView, desk: Desk, tier: int) -> bool:
        """Whether the tier's last server has been empty of its requests often enough."""
        server = last_server(view, desk, tier)
        if holds_tier(view, desk, server, tier):
            desk.empty_checks.pop(tier, None)
            return False
        known, checks = desk.empty_checks.get(tier, (server, 0))
        checks = checks + 1 if known == server else 1
        desk.empty_checks[tier] = server, checks
        return checks >= self.empty_checks


@dataclass(frozen=True, slots=True)
class ReleaseAndPowerOff:
    """`Release`, and switch idle servers of the pool off.

    Parameters
    ----------
    release : Release
        What returns servers to the pool.
    """

    release: Release

    @property
    def desks(self) -> Desks:
        """The router's desk."""
        return self.release.desks

    def __call__(self, view: FleetView) -> list[Action]:
        """Release servers, and stop those that were in the pool before."""
        actions = self.release(view)
        return actions + [Stop(server) for server in self.desks(view).idle]


@dataclass(frozen=True, slots=True)
class ClaimWanted:
    """Claim decoding servers, at checks, for tiers whose finished prompts found none; then what `then` says.

    A placer gives no orders, so the claim waits for the next check (ours).

    Parameters
    ----------
    then : Release or ReleaseAndPowerOff
        What else is done.
    """

    then: Release | ReleaseAndPowerOff

    def __call__(self, view: FleetView) -> list[Action]:
        """Give each tier that wants one a server: one from the pool, or one that is off."""
        actions = self.then(view)
        desk = self.then.desks(view)
        stopped = {action.instance: action for action in actions if isinstance(action, Stop)}
        idle, off = list(desk.idle), list(desk.off)
        for tier in sorted(desk.wanted):
            label = desk.desks.tiers.labels[tier]
            if idle:
                server = idle.pop(0)
                if server in stopped:
                    actions.remove(stopped[server])
                actions.append(Assign(server, label))
            elif off and not desk.starting[tier]:
                server = off.pop(0)
                actions += [Assign(server, label), Start(server)]
        desk.wanted.clear()
        return actions


@dataclass(frozen=True, slots=True)
class LearnOnly:
    """No scaling: the checks only ask for the average lengths again.

    Parameters
    ----------
    desks : Desks
        The router's desk.
    """

    desks: Desks

    def __call__(self, view: FleetView) -> list[Action]:
        """Learn."""
        self.desks(view).learn(view)
        return []


def last_server(view: FleetView, desk: Desk, tier: int) -> int:
    """The least loaded server of a tier, of several the one with the highest number; there must be one."""
    return int(min(desk.members[tier], key=lambda server: (view.in_system(server), -server)))


def holds_tier(view: FleetView, desk: Desk, server: int, tier: int) -> bool:
    """Whether a server has a request of a tier, running, waiting or on its way."""
    of_class = desk.desks.tiers.of_class
    requests = (*view.waiting(server), *view.running(server), *view.coming(server), *view.parked(server))
    return any(of_class[view.label(request)] == tier for request in requests)
