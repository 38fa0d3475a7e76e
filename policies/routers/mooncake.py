"""Mooncake's conductor: the earliest predicted first token, and early rejection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_is, check_number, check_whole
from orsched.engine.actions import REJECT, Routing
from orsched.engine.pool import DECODERS
from orsched.group import Role
from orsched.policy import Placer, least_kv_decoder
from orsched.request import SLO
from orsched.service import Batch
from policies.parts.prompt_time import backlog_s, prompt_s
from policies.routers.kinds import least_of_each_kind
from policies.routers.tokens import lexicographic

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class MooncakeConductor:
    """The instance with the least predicted time to the first token; rejects a request that misses its objective.

    Algorithm 1 of Mooncake (FAST '25)::

        if best_match / own_match > threshold:  prefix = best_match, transfer = time to send what is missing of it
        else:                                   prefix = own_match,  transfer = 0
        TTFT = transfer + queue + prefill(length, prefix)

    least over the instances that take prompts, ``best_match`` the longest match anywhere. Then an instance that decodes
    is chosen by load, which the paper does not specify (`decoder`), and the request is rejected if TTFT, or the time
    between two tokens there with one more request, exceeds its objective. Predictions are ours, from the service model
    in place of a fit: a queue takes its prompt tokens in full chunks, of which nothing is cached. Ties go to the fewest
    requests, then to the lowest index.

    What is not modelled: prefix blocks are never sent between instances. With a finite `threshold` the choice is the
    published one, but the prompt is processed again where it goes, later than predicted; with an infinite one (the
    default) predictions are of what happens. Hot blocks are thereby replicated wherever their prompts are processed. On
    an instance that both processes prompts and decodes, the time between tokens leaves prompts out.

    O(log n) for each kind of hardware and link, O(holders), and the chunks of the prompt for each of them.

    Parameters
    ----------
    threshold : float
        Ratio of matches beyond which a remote prefix is used, >= 1.
    objective : SLO, optional
        For requests whose class has none; None: they are never rejected. The paper's limits are 30 s for the first
        token and 0.1, 0.2 or 0.3 s between tokens.
    chunk_tokens : int
        Most prompt tokens of an iteration; the paper's chunks have more than 1,000.
    decoder : Placer
        Chooses the instance that decodes: as the policy's `place` (`place` below).
    """

    threshold: float = math.inf
    objective: SLO | None = None
    chunk_tokens: int = 1024
    decoder: Placer = least_kv_decoder

    def __post_init__(self) -> None:
        check_number(self, "threshold", least=1, finite=False)
        if self.objective is not None:
            check_is(self, "objective", SLO)
        check_whole(self, "chunk_tokens")
        check_has(self, "decoder", "a function of the fleet's view and a request", "__call__")

    def __call__(self, view: FleetView, request: int, /) -> int | Routing | None:
        """Return the instance that processes the prompt, or reject."""
        matches = view.prefix_holders(request)
        best = max(matches.values(), default=0)
        others = least_of_each_kind(
            view, "prompt tokens, requests", lambda i: lexicographic(view.backlog_tokens(i), view.in_system(i)), matches
        )

        def promise(instance: int) -> tuple[float, int, int]:
            ttft_s = self.ttft_s(view, instance, request, matches, best)
            return ttft_s, view.in_system(instance), instance

        chosen = min(map(promise, {*others, *matches}), default=None)
        if chosen is None:
            return None
        ttft_s, _, instance = chosen
        objective = view.slo(request) or self.objective
        if objective is not None:
            waited_s = view.now_s - view.arrival_s(request)
            if waited_s + ttft_s > objective.ttft_s or self.tbt_s(view, instance, request) > objective.tpot_s:
                return REJECT
        return instance

    def ttft_s(self, view: FleetView, instance: int, request: int, matches: Mapping[int, int], best: int) -> float:
        """Predicted seconds from now to the first token on an instance, `best` the longest of all `matches`."""
        service, length = view.hardware(instance).service, view.prompt_tokens(request)
        queue_s = backlog_s(service, view.backlog_tokens(instance), self.chunk_tokens)
        prefix, transfer_s = matches.get(instance, 0), 0.0
        if best > self.threshold * prefix:
            transfer_s, prefix = self.transfer_s(view, instance, best - prefix), best
        return transfer_s + queue_s + prompt_s(service, length - prefix, prefix, self.chunk_tokens)

    def transfer_s(self, view: FleetView, instance: int, tokens: int) -> float:
        """Seconds to send the KV cache of `tokens` tokens to an instance over an idle link; infinite if unknown."""
        link, size_bytes = view.link(instance), view.hardware(instance).kv_bytes_per_token
        if link.bytes_per_s == math.inf:
            return link.latency_s
        return math.inf if size_bytes is None else link.latency_s + tokens * size_bytes / link.bytes_per_s

    def tbt_s(self, view: FleetView, instance: int, request: int) -> float:
        """Predicted seconds of a decode iteration with one more request, where it would decode; infinite: nowhere."""
        decoder: int | None = instance
        if view.role(instance) is Role.PREFILL and view.members(DECODERS):
            decoder = self.decoder(view, request)
        if decoder is None:
            return math.inf
        seqs, kv = view.num_running(decoder) + 1, view.kv_tokens(decoder) + view.prompt_tokens(request)
        return view.hardware(decoder).service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
