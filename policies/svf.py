"""Smallest volume first (SVF, arXiv 2606.22327): admit by memory over time while the peaks fit."""

from __future__ import annotations

from orsched.policy import Information, Policy
from policies.parts.reserving import Reserving
from policies.recipe import fixed
from policies.sjf import known_peak


def volume(input_tokens: int, output_tokens: int | None, /) -> float:
    """Queue key: KV tokens held, summed over the request's iterations, by the output length that is known.

    The paper's ``s o + o (o + 1) / 2`` with a prompt of ``s + 1`` tokens here: it holds ``s + 1 .. s + o``.
    """
    assert output_tokens is not None, "the engine gives the length to policies that declare oracle or predicted"
    return (input_tokens - 1) * output_tokens + output_tokens * (output_tokens + 1) / 2


def svf(max_num_seqs: int = 256) -> Policy:
    """SVF with the true output lengths; memory for the peak is reserved, so nothing is ever preempted.

    Notes
    -----
    The rule is known to us at second hand. Ours: ties go to the earlier request, admission stops at the first that does
    not fit, whole prompts share the iterations of the decodes, and the limit on running requests.
    """
    return Policy(
        "svf",
        Reserving(known_peak, max_num_seqs, arrivals_overtake=True),
        information=Information.ORACLE,
        order=volume,
    )


RECIPES = (fixed(svf, "SVF: smallest KV memory over time first with oracle lengths, peaks reserved, never preempts"),)
