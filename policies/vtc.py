"""VTC: virtual token counter, fairness between clients (arXiv 2401.00588; code of Ying1123/VTC-artifact)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orsched.checks import check_is, check_whole
from orsched.engine.plan import Chunk, Plan
from orsched.policy import Policy
from policies.parts.client_queues import ClientQueues
from policies.parts.kv_projection import KVProjection
from policies.parts.token_counters import TokenPrices
from policies.parts.waiting_list import by_arrival
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class LeastServed:
    """Admit the first waiting request of the client with the smallest counter, as long as it fits.

    Admission stops at the first request that does not fit. One fits if memory suffices in every future iteration were
    all outputs as long as the deployment allows, so that nothing is ever preempted. Whole prompts share the iteration
    with the decodes.

    Parameters
    ----------
    prices : TokenPrices
        What a token counts.
    max_num_seqs : int
        Most running requests.
    """

    prices: TokenPrices = field(default_factory=TokenPrices)
    max_num_seqs: int = 256

    def __post_init__(self) -> None:
        check_is(self, "prices", TokenPrices)
        check_whole(self, "max_num_seqs")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan until another client may have the smallest counter, or its request may fit."""
        memo, now = view.memo, view.iterations
        if "clients" not in memo:
            memo["clients"], memo["seen"] = ClientQueues(self.prices), 0
            memo["longest"] = bisect_right(range(view.context_tokens), view.capacity_blocks, key=view.blocks_for)
        clients: ClientQueues = memo["clients"]
        clients.follow(view.running, now)
        for request in view.arrived[memo["seen"] :]:
            clients.arrive(request, view.label(request), now)
        memo["seen"] = len(view.arrived)
        seats = min(self.max_num_seqs, view.max_num_seqs) - view.num_running
        if not view.waiting or seats <= 0:
            return Plan()
        future = KVProjection.of(view)
        chunks: list[Chunk] = []
        name = clients.least(now)
        while name is not None and seats > 0:
            request = clients.head(name)
            prompt = view.prompt_tokens[request]
            iterations = memo["longest"] - prompt
            if not future.fits(prompt, iterations):
                if chunks:
                    break
                steps = min(future.earliest(prompt, iterations), clients.overtaken_after(name, now))
                return Plan(max_steps=max(1, int(steps)))
            future.start(request, prompt, iterations)
            clients.admit(name, prompt, now)
            chunks.append(Chunk(request, prompt))
            seats -= 1
            name = clients.least(now)
        return Plan(tuple(chunks))


def vtc(
    input_price: float = 1.0,
    output_price: float = 2.0,
    weights: Mapping[int, float] | None = None,
    max_num_seqs: int = 256,
) -> Policy:
    """Virtual token counter with linear cost; a client is a class of the workload (`Workload.class_id`).

    Parameters
    ----------
    input_price, output_price : float
        What an input and an output token count.
    weights : mapping of int to float, optional
        Share of each client; 1 for those that are not named.
    max_num_seqs : int
        Most running requests.

    Notes
    -----
    Published: counters, lift, order of admission, prices 1 and 2, the fit test by the peak under maximum lengths. The
    maximum a client may ask for is not part of a workload: here it is what the deployment's context length, or the KV
    memory if that is less, leaves after the prompt. The rule for an arrival when nobody waits (a lift to the client
    whose queue was the last to become empty) is known to us at second hand; the published code has none, and the bound
    on unfairness needs one. Ours: memory in blocks, no limit on prompt tokens in an iteration, ties to the smaller
    class, and admission before every iteration where the code admits before every 10th.
    """
    prices = TokenPrices(input_price, output_price, {} if weights is None else weights)
    settings = {"input_price": input_price, "output_price": output_price, "weights": dict(prices.weights)}
    return Policy("vtc", LeastServed(prices, max_num_seqs), order=by_arrival, settings=settings, takes_transfers=False)


RECIPES = (
    fixed(vtc, "VTC: client (workload class) with least service first, w_in 1, w_out 2, peak of longest context"),
)
