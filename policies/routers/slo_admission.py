"""Admission by predicted iteration times, in the manner of SLOs-Serve."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_whole
from orsched.engine.actions import Routing
from orsched.errors import InputError
from orsched.group import Role
from orsched.policy import Router, least_kv_decoder
from orsched.request import SLO
from orsched.service import Batch
from policies.parts.prompt_time import backlog_s
from policies.routers.counts import join_shortest_queue

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView
    from orsched.workloads import Workload

A_ROUTER = "a router, which is a function of the fleet's view and a request"


@dataclass(frozen=True, slots=True)
class SLOAdmission:
    """Takes an instance where predicted times keep every objective, asks a few others, or leaves it to `refused`.

    In the manner of SLOs-Serve (arXiv 2504.08784), whose dynamic programme is not published: the greedy tests here are
    ours. The instance that `propose` names is tested first, then the next ones in order, `hops` of them. It is taken if

    - the prompts that wait there, and then this one, are done in time: the rest of the iteration in flight and full
      chunks of `chunk_tokens` beside those who run, within the objective for the first token, less what it has waited;
    - a decode iteration with everybody who is there and this request, each grown by `mean_output_tokens`, lasts no
      longer than the least objective per token among them;
    - all that fits in its KV memory.

    On an instance that only processes prompts the last two are asked of the decoding instance with the fewest KV
    tokens. Where iterations carry prompts and decodes together, the second test leaves the prompts out. A request whose
    class has no objective goes where `propose` says.

    Refused requests are best effort (`refused`: a router; the fewest requests by default) or rejected (`reject`). The
    engine's batchers treat best-effort requests as any other.

    O(log n + hops + holders), and for a tested instance that has changed the number of its requests.

    Parameters
    ----------
    propose : Router
        Names the first instance to test; must return its number.
    refused : Router
        What becomes of a request that no tested instance takes.
    hops : int
        Other instances to test, >= 0.
    chunk_tokens : int
        Prompt tokens of an iteration.
    mean_output_tokens : int
        Expected output of every request.
    """

    propose: Router = join_shortest_queue
    refused: Router = join_shortest_queue
    hops: int = 3
    chunk_tokens: int = 512
    mean_output_tokens: int = 256

    def __post_init__(self) -> None:
        check_has(self, "propose", A_ROUTER, "__call__")
        check_has(self, "refused", A_ROUTER, "__call__")
        check_whole(self, "hops", least=0)
        check_whole(self, "chunk_tokens")
        check_whole(self, "mean_output_tokens")

    @staticmethod
    def require_objectives(workload: Workload) -> None:
        """Refuse a workload that leaves nothing to test.

        Raises
        ------
        InputError
            When no class has an objective.
        """
        if all(one.slo is None for one in workload.classes):
            raise InputError("slo-admission: no class of the requests has an SLO, so there is nothing to admit by")

    def __call__(self, view: FleetView, request: int, /) -> int | Routing | None:
        """Return the instance that takes it, or what `refused` says."""
        first, objective = self.propose(view, request), view.slo(request)
        if objective is None or not isinstance(first, int):
            return first
        cached = view.prefix_holders(request)
        for instance in self._candidates(view, first):
            tokens = view.prompt_tokens(request) - cached.get(instance, 0)
            in_time = self.in_time(view, instance, request, tokens, objective)
            if in_time and self.at_pace(view, instance, request, objective):
                return instance
        return self.refused(view, request)

    def _candidates(self, view: FleetView, first: int) -> Iterator[int]:
        """The proposed instance, and those after it, around the fleet."""
        yield first
        members = view.members()
        begin = bisect_right(members, first)
        for hop in range(min(self.hops, len(members) - 1)):
            yield members[(begin + hop) % len(members)]

    def in_time(self, view: FleetView, instance: int, request: int, tokens: int, objective: SLO) -> bool:
        """Whether the first token of a request with `tokens` tokens to process comes in time."""
        prompts_s = backlog_s(
            view.hardware(instance).service,
            view.backlog_tokens(instance) + tokens,
            self.chunk_tokens,
            view.num_running(instance) - len(view.prefilling(instance)),
            view.kv_tokens(instance),
        )
        begin_s = view.iteration_end_s(instance) - view.arrival_s(request)
        return begin_s + prompts_s <= objective.ttft_s

    def at_pace(self, view: FleetView, instance: int, request: int, objective: SLO) -> bool:
        """Whether everybody can go on in time once they decode together, and fits."""
        place: int | None = instance
        if view.role(instance) is Role.PREFILL:
            place = least_kv_decoder(view, request)
        if place is None:
            return False
        hardware, seqs = view.hardware(place), view.in_system(place) + 1
        kv = view.kv_tokens(place) + view.backlog_tokens(place) + view.prompt_tokens(request)
        kv += seqs * self.mean_output_tokens
        if kv > hardware.kv_capacity_tokens or seqs > hardware.max_num_seqs:
            return False
        pace_s = hardware.service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
        return pace_s <= min(objective.tpot_s, self._least_tpot_s(view, place))

    def _least_tpot_s(self, view: FleetView, instance: int) -> float:
        """The least objective per token among the requests of an instance."""
        known: dict[int, float] = view.memo.setdefault("least tpot", {})
        changed = view.changed("least tpot")
        for index in changed:
            known.pop(index, None)
        changed.clear()
        if instance not in known:
            slos = map(view.slo, chain(view.waiting(instance), view.running(instance)))
            known[instance] = min((slo.tpot_s for slo in slos if slo is not None), default=float("inf"))
        return known[instance]
