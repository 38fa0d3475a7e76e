"""What a run that cannot end says: where its unfinished requests are, and what to do about it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from orsched.engine.state import State
from orsched.group import Role

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster

MOST_NAMED = 5
"""Most instances that are named."""

_REMEDIES = {
    State.DEAD: "let a fault end (for_s)",
    State.OFF: "have fewer off at first or a policy that starts them",
}


def stranded(cluster: Cluster) -> str:
    """Where the unfinished requests are, for a message; and what to do when no instance is there to take them."""
    found = [
        f"{cluster.dispatch.num_pending} with the router",
        f"{len(cluster.dispatch.unplaced)} finished prompts unplaced",
    ]
    waiting = [(i.index, i.in_system) for i in cluster.instances if i.in_system]
    found += [f"{count} on instance {index}" for index, count in waiting[:MOST_NAMED]]
    return ", ".join(found) + (_nobody_takes_them(cluster) if cluster.dispatch.num_pending else "")


def _nobody_takes_them(cluster: Cluster) -> str:
    """Say that no instance takes new requests, if that is so."""
    states = Counter(i.state for i in cluster.instances if i.role is not Role.DECODE)
    if not states or states[State.SERVING]:
        return ""
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    remedies = "; ".join(remedy for state, remedy in _REMEDIES.items() if states[state])
    return f"; no instance that takes new requests serves ({counts}){': ' if remedies else ''}{remedies}"
