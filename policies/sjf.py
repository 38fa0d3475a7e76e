"""Shortest job first, non-preemptive; by default with the true output lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orsched.policy import Information, Policy
from policies.parts.reserving import Reserving
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def known_peak(view: InstanceView, request: int) -> int:
    """KV tokens the request will hold at its end by the output length that is known: the true or the predicted one."""
    return view.input_tokens(request) + view.output_tokens(request) - 1


def shortest_output(input_tokens: int, output_tokens: int | None, /) -> float:
    """Queue key: the output length that is known, the true or the predicted one."""
    assert output_tokens is not None, "the engine gives the length to policies that declare oracle or predicted"
    return float(output_tokens)


def sjf(max_num_seqs: int = 256) -> Policy:
    """Shortest output first; memory for the known peak is reserved, so nothing is preempted if the length is true."""
    return Policy(
        "sjf",
        Reserving(known_peak, max_num_seqs, arrivals_overtake=True),
        information=Information.ORACLE,
        order=shortest_output,
    )


RECIPES = (fixed(sjf, "Shortest output first with oracle lengths, whole prompts, peak reserved, never preempts"),)
