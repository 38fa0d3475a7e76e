"""Dynamo's KV-aware router."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class Dynamo:
    """The least weighted sum of prompt tokens to process (the request's uncached ones included) and cached KV tokens.

    NVIDIA Dynamo's ``prefill_weight * prefill_blocks + active_blocks`` at temperature 0, which takes the least; above 0
    it draws at random, which is not offered. Both terms are in tokens here: blocks are of one size. Active are the KV
    tokens of those who run. Ties go to the lowest index. O(log n + holders).

    Parameters
    ----------
    prefill_weight : float
        Weight of the prompts.
    """

    prefill_weight: float = 1.0

    def __post_init__(self) -> None:
        check_number(self, "prefill_weight")

    def __call__(self, view: FleetView, request: int, /) -> int | None:
        """Return the instance with the least cost."""
        weight = self.prefill_weight
        least = view.least(
            f"prompt and KV tokens, {weight}",
            lambda i: weight * view.backlog_tokens(i) + view.resident_tokens(i),
            exact=lambda i: weight * view.backlog_tokens(i) + view.kv_tokens(i),
        )
        if least is None:
            return None
        cached = view.prefix_holders(request)

        def cost(instance: int) -> tuple[float, int]:
            prefill = view.backlog_tokens(instance) - cached.get(instance, 0)
            return weight * prefill + view.kv_tokens(instance), instance

        return min((least, *cached), key=cost)
