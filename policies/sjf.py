"""Shortest job first with oracle output lengths, non-preemptive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.policy import Information, Policy
from policies.parts.reserving import Reserving
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def true_peak(view: InstanceView, request: int) -> int:
    """KV tokens the request will hold at its end; needs oracle information."""
    return view.input_tokens(request) + view.output_tokens(request) - 1


def shortest_output(input_tokens: int, output_tokens: int | None, /) -> float:
    """Queue key: the true output length."""
    assert output_tokens is not None, "the engine gives oracle policies the length"
    return float(output_tokens)


def sjf(max_num_seqs: int = 256) -> Policy:
    """Shortest output first; memory for the true peak is reserved, so nothing is ever preempted."""
    return Policy(
        "sjf",
        Reserving(true_peak, max_num_seqs, arrivals_overtake=True),
        information=Information.ORACLE,
        order=shortest_output,
    )


RECIPES = (fixed(sjf, "Shortest output first with oracle lengths, whole prompts, true peak reserved, never preempts"),)
