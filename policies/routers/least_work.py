"""Least predicted work: seconds that the requests of an instance will still occupy it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from orsched.checks import check_whole
from orsched.group import Role
from orsched.policy import Information
from orsched.service import Batch

if TYPE_CHECKING:
    from orsched.catalogue import Hardware
    from orsched.engine.fleet_view import FleetView


class TokenSeconds(NamedTuple):
    """Seconds of an instance that one prompt token and one output token take."""

    prompt_s: float
    output_s: float


@dataclass(frozen=True, slots=True)
class LeastWork:
    """The instance with the least predicted work (prompts to process and predicted outputs), in seconds.

    The prompts that are not processed and the predicted outputs of those who wait or run, each token at its price when
    the instance is full: with ``B`` decodes of `context_tokens` each, ``B`` as many as memory and seats allow, an
    iteration lasts ``T``, an output token takes ``T / B``, and a prompt token what `chunk_tokens` of them add to ``T``,
    divided by `chunk_tokens`. Ties to the lowest index. The prices are ours.

    Output lengths are those the policy knows on arrival (the truth with `Information.ORACLE`, predictions with
    `Information.PREDICTED`), and `mean_output_tokens` for everybody if it knows none. An output counts in full until
    its request leaves: what has been emitted of it is not deducted, since that changes on all instances with every
    iteration. Instances that only process prompts have no output to produce.

    Costs O(log n) for every instance that has changed; with known lengths, also the number of its requests.

    Parameters
    ----------
    mean_output_tokens : int
        Output length of every request for a policy without length information.
    context_tokens : int
        Context of a request at which tokens are priced.
    chunk_tokens : int
        Prompt tokens of the iteration at which prompt tokens are priced.
    """

    mean_output_tokens: int = 256
    context_tokens: int = 1024
    chunk_tokens: int = 512

    def __post_init__(self) -> None:
        for field in ("mean_output_tokens", "context_tokens", "chunk_tokens"):
            check_whole(self, field)

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the instance with the least work."""
        known = view.memo.get(self)
        if known is None:
            prices = [self.prices(view.hardware(i)) for i in range(view.size)]
            known = view.memo[self] = f"{self}", lambda i: self.work_s(view, i, prices[i])
        name, work_s = known
        return view.least(name, work_s)

    def prices(self, hardware: Hardware) -> TokenSeconds:
        """Seconds per token on an instance that is full."""
        seqs = max(1, min(hardware.max_num_seqs, hardware.kv_capacity_tokens // self.context_tokens))
        kv, chunk = seqs * self.context_tokens, self.chunk_tokens
        decode_s = hardware.service.iteration_s(Batch(num_seqs=seqs, kv_tokens=kv))
        mixed_s = hardware.service.iteration_s(Batch(chunk, 0.5 * chunk * chunk, 0, seqs, kv))
        return TokenSeconds((mixed_s - decode_s) / chunk, decode_s / seqs)

    def work_s(self, view: FleetView, instance: int, price: TokenSeconds) -> float:
        """Predicted work of an instance, seconds."""
        work_s = price.prompt_s * view.backlog_tokens(instance)
        if view.role(instance) is Role.PREFILL:
            return work_s
        return work_s + price.output_s * self.output_tokens(view, instance)

    def output_tokens(self, view: FleetView, instance: int) -> int:
        """Predicted output tokens of the requests that wait or run on an instance."""
        if view.information < Information.PREDICTED:
            return self.mean_output_tokens * (view.num_waiting(instance) + view.num_running(instance))
        waiting = sum(map(view.predicted_tokens, view.waiting(instance)))
        return waiting + sum(map(view.predicted_tokens, view.running(instance)))
