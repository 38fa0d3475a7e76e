"""Requests that change their instance with their KV cache: hand-offs of finished prompts, and migrations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from orsched.engine.network import Flow, Network
from orsched.errors import InputError, PlanError
from orsched.fleet_log import Kind

if TYPE_CHECKING:
    from orsched.engine.instance import Instance
    from orsched.engine.requests import Requests
    from orsched.link import StagedCopy
    from orsched.policy import Accepter

Report = Callable[[Kind, int, int, float, str], None]
"""``report(kind, instance, request, time_s, detail)``."""


class Transfer:
    """One request on its way from an instance to another."""

    __slots__ = ("copied", "flow", "live", "request", "source", "stages", "target")

    def __init__(self, request: int, source: Instance, target: Instance, live: bool) -> None:
        self.request = request
        self.source = source
        self.target = target
        self.live = live
        """Whether it was decoding when it was told to go."""
        self.copied = 0
        self.stages = 0
        self.flow: Flow | None = None


class Transfers:
    """All requests that are on their way.

    A transfer waits at its target, first come first served, until the policy's `accept` admits it at the start of an
    epoch. Memory is set aside there, then its KV cache is sent. A parked request (a finished prompt) is sent at once;
    a decoding one in stages (`orsched.link.StagedCopy`), of which the last begins when it stops at the end of an
    iteration. It joins its target at the start of an epoch.

    Parameters
    ----------
    network : Network
        Carries the bytes.
    copy : StagedCopy
        How decoding requests are copied.
    requests : Requests
        The run's requests.
    accept : Accepter
        Whether a target takes a request now.
    report : Report
        Told what happens.
    freed : callable
        ``freed(instance, time_s)``: told when an instance has got rid of a request.
    """

    __slots__ = ("_accept", "_copy", "_freed", "_network", "_report", "_requests", "under_way")

    def __init__(
        self,
        network: Network,
        copy: StagedCopy,
        requests: Requests,
        accept: Accepter,
        report: Report,
        freed: Callable[[Instance, float], None],
    ) -> None:
        self._network = network
        self._copy = copy
        self._requests = requests
        self._accept = accept
        self._report = report
        self._freed = freed
        self.under_way: dict[int, Transfer] = {}

    def hand_off(self, request: int, source: Instance, target: Instance, now_s: float) -> None:
        """Send a parked request to `target`."""
        source.in_system -= 1
        target.in_system += 1
        self._queue(Transfer(request, source, target, live=False), now_s)

    def migrate(self, request: int, source: Instance, target: Instance, now_s: float) -> None:
        """Move a request that decodes on `source` to `target`."""
        source.dock.copying.add(request)
        self._report("migration-started", source.index, request, now_s, str(target.index))
        self._queue(Transfer(request, source, target, live=True), now_s)

    def _queue(self, transfer: Transfer, now_s: float) -> None:
        self.under_way[transfer.request] = transfer
        inbound = transfer.target.dock.inbound
        inbound.append(transfer.request)
        transfer.source.changed()
        transfer.target.changed()
        if len(inbound) == 1:
            transfer.target.stream.call(now_s)

    def at_boundary(self, instance: Instance, now_s: float) -> None:
        """Between two epochs of an instance: let requests stop, join, and start to come."""
        dock = instance.dock
        if dock.leaving:
            slack_s = instance.stream.epoch.slack_s(now_s)
            for request in [request for request, after_s in dock.leaving.items() if now_s - after_s > slack_s]:
                del dock.leaving[request]
                self._stop(self.under_way[request], now_s)
        if dock.landed:
            dock.land()
        if (dock.expected or dock.landed) and len(instance.running) > instance.ledger.free_blocks:
            self._make_room(instance, now_s)
        while dock.inbound and dock.seats and self._accept(instance.stream.view, dock.inbound[0]):
            self._begin(self.under_way[dock.inbound.popleft()], now_s)

    def _make_room(self, instance: Instance, now_s: float) -> None:
        """Let those who have not joined yet, the latest first, give their memory to those who run."""
        dock = instance.dock
        while (dock.landed or dock.expected) and instance.growth_blocks() > instance.ledger.free_blocks:
            if dock.landed:
                dock.turn_out_last()
            else:
                self._postpone(self.under_way[next(reversed(dock.expected))], now_s)

    def _postpone(self, transfer: Transfer, now_s: float) -> None:
        """Send a request later, from the beginning; a migration is given up."""
        if transfer.request in transfer.source.dock.copying:
            self.give_up(transfer.request, now_s)
            return
        self._withdraw(transfer, now_s)
        transfer.copied = 0
        transfer.target.dock.inbound.appendleft(transfer.request)

    def _begin(self, transfer: Transfer, now_s: float) -> None:
        """Set memory aside at the target and send what is cached."""
        request, source = transfer.request, transfer.source
        tokens = source.cached_by(request, now_s)
        decodes = request in source.dock.copying
        growth = min(self._copy.last_stage_tokens, self._requests.context_tokens - tokens) if decodes else 0
        transfer.target.dock.expect(request, tokens + min(max(growth, 0), transfer.target.dock.spare_tokens(tokens)))
        if decodes and self._copy.stages == 0:
            busy = source.stream.busy
            source.dock.leaving[request] = now_s if busy else -math.inf
            (source.stream.call_after if busy else source.stream.call)(now_s)
        else:
            self._send(transfer, tokens, now_s)

    def _send(self, transfer: Transfer, tokens: int, now_s: float) -> None:
        """Send what has not been sent of the first `tokens` tokens."""
        size_bytes = (tokens - transfer.copied) * self._bytes_per_token(transfer)
        transfer.copied = tokens
        source, target = transfer.source, transfer.target
        sent = now_s, source.cluster.ended
        if transfer.request in source.dock.copying:
            done, delay_s = self._copied, 0.0
        else:
            done, delay_s = self._arrived, self._copy.downtime_s if transfer.live else 0.0
        transfer.flow = self._network.send(
            source.index,
            target.index,
            size_bytes,
            lambda end_s: self._through(transfer, done, sent, end_s),
            now_s,
            delay_s,
        )

    def _through(
        self, transfer: Transfer, done: Callable[[Transfer, float], None], sent: tuple[float, int], now_s: float
    ) -> None:
        """Its bytes have arrived: what follows from bytes that took no time belongs to what they were `sent` for."""
        cluster = transfer.source.cluster
        cluster.ended = sent[1] if sent[0] == now_s else -1
        done(transfer, now_s)
        cluster.ended = -1

    def _bytes_per_token(self, transfer: Transfer) -> float:
        links = (transfer.source.group.link, transfer.target.group.link)
        if min(link.bytes_per_s for link in links) == math.inf:
            return 0.0
        size_bytes = transfer.source.hardware.kv_bytes_per_token
        if size_bytes is None:
            raise InputError(
                f"hardware {transfer.source.hardware.name!r} does not say how many bytes a KV token has "
                "(Hardware.kv_bytes_per_token), which a transfer over a link of finite bandwidth needs"
            )
        return size_bytes

    def _copied(self, transfer: Transfer, now_s: float) -> None:
        """A stage of a live copy has ended: another one, or the last."""
        transfer.flow = None
        transfer.stages += 1
        tokens = transfer.source.cached_before(transfer.request, transfer.source.stream.after_ends_s(now_s))
        few = tokens - transfer.copied <= self._copy.last_stage_tokens
        if few or transfer.stages >= self._copy.stages:
            transfer.source.dock.leaving[transfer.request] = -math.inf
            transfer.source.stream.call(now_s)
        else:
            self._send(transfer, tokens, now_s)

    def _stop(self, transfer: Transfer, now_s: float) -> None:
        """The request stands still; send the rest."""
        request, source, target = transfer.request, transfer.source, transfer.target
        source.dock.copying.discard(request)
        source.dock.stand_still(request, now_s)
        source.in_system -= 1
        target.in_system += 1
        source.changed()
        target.changed()
        self._send(transfer, source.dock.parked[request].tokens, now_s)

    def _arrived(self, transfer: Transfer, now_s: float) -> None:
        """All of it has been copied: free the source, and let it join its target."""
        transfer.flow = None
        request, source, target = transfer.request, transfer.source, transfer.target
        del self.under_way[request]
        parked = source.dock.unpark(request, now_s)
        target.dock.receive(request, parked)
        self._requests.instance[request] = target.index
        if transfer.live:
            self._requests.migrations[request] += 1
            self._report("migrated", source.index, request, now_s, str(target.index))
        source.stream.call(now_s)
        target.stream.call(now_s)
        source.changed()
        target.changed()
        self._freed(source, now_s)

    def give_up(self, request: int, now_s: float) -> None:
        """Stop the migration of a request that ends or loses its KV cache while it is still decoding."""
        transfer = self.under_way.pop(request)
        self._withdraw(transfer, now_s)
        transfer.source.dock.copying.discard(request)
        transfer.source.dock.leaving.pop(request, None)
        transfer.target.cluster.lifecycle.rest(transfer.target, now_s)
        self._report("migration-given-up", transfer.source.index, request, now_s, str(transfer.target.index))

    def _withdraw(self, transfer: Transfer, now_s: float) -> None:
        """Take a transfer out of its target's queue or memory, and off the network."""
        if transfer.flow is not None:
            self._network.cancel(transfer.flow, now_s)
            transfer.flow = None
        dock = transfer.target.dock
        if transfer.request in dock.expected:
            dock.forget(transfer.request, now_s)
            transfer.target.stream.call(now_s)
        else:
            first = dock.inbound[0] == transfer.request
            dock.inbound.remove(transfer.request)
            if first:
                transfer.target.stream.call(now_s)
        transfer.target.changed()

    def recall(self, request: int, now_s: float) -> Instance:
        """Take back a parked request whose target is no more; returns the instance that has its KV cache."""
        transfer = self.under_way.pop(request)
        self._withdraw(transfer, now_s)
        transfer.target.in_system -= 1
        transfer.source.in_system += 1
        transfer.source.changed()
        transfer.target.cluster.lifecycle.rest(transfer.target, now_s)
        return transfer.source


def require_decoding(instance: Instance, request: int, now_s: float) -> None:
    """Refuse to migrate a request that does not decode on `instance`, or is on its way already; raises PlanError."""
    if instance.running.get(request) is None or request in instance.dock.copying:
        raise PlanError(
            f"t = {now_s:.6g} s, instance {instance.index}: request {request} cannot migrate: "
            "it is not decoding here, or migrates already"
        )
