"""What becomes of the requests of an instance that dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orsched.engine.cluster import Cluster
    from orsched.engine.instance import Instance


def bury(cluster: Cluster, instance: Instance, now_s: float) -> bool:
    """Let an instance die, if it is on, and return whether it was.

    What was cached there is lost, and all of its requests go elsewhere. Those that had run there are *restarted*: they
    recompute their prompt and what they had emitted. Those that were on their way to it go back to where their KV cache
    is; those whose KV cache was still on it restart too.
    """
    if not cluster.lifecycle.die(instance, now_s):
        return False
    instance.stream.halt(now_s)
    returned = _turn_back(cluster, instance, now_s)
    lost, waiting = instance.evacuate(now_s)
    cluster.dispatch.forget(lost)
    for request in sorted(lost):
        cluster.requests.restarts[request] += 1
        cluster.note("restarted", instance.index, request, now_s)
    cluster.regroup(instance)
    for request, source in returned:
        cluster.return_to(request, source, now_s)
    for request in sorted([*lost, *waiting]):
        target = cluster.dispatch.submit(request, now_s)
        if target is not None:
            target.stream.on_arrival(now_s)
    return True


def _turn_back(cluster: Cluster, instance: Instance, now_s: float) -> list[tuple[int, Instance]]:
    """End the transfers from and to a dead instance; returns the requests that stand still elsewhere because of it."""
    transfers, returned = cluster.transfers, []
    for request, transfer in list(transfers.under_way.items()):
        if transfer.source is instance or (transfer.target is instance and request in transfer.source.dock.copying):
            if request in transfer.source.dock.copying:
                transfers.give_up(request, now_s)
            else:
                transfers.recall(request, now_s)
        elif transfer.target is instance:
            returned.append((request, transfers.recall(request, now_s)))
    return returned
