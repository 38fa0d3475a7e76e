"""What a policy decides at a decision epoch."""

from __future__ import annotations

import math
import sys
from typing import NamedTuple


class Chunk(NamedTuple):
    """Prompt tokens of one request to process in the next iteration.

    Parameters
    ----------
    request : int
        A waiting request (then it is admitted) or one whose prompt is partly processed.
    tokens : int
        How many tokens of its prompt, at most `InstanceView.prompt_left`.
    reserve_tokens : int
        KV tokens to set aside for it now; 0 sets aside just what is cached after this chunk.
    cohort : int
        The cohort it decodes in once its prompt is done.
    reused_tokens : int, optional
        On admission: tokens before these that are not processed because `InstanceView.retained_tokens` has them still.
        None leaves it to the engine, which skips what is retained of `tokens` itself, but for the last one.
    """

    request: int
    tokens: int
    reserve_tokens: int = 0
    cohort: int = 0
    reused_tokens: int | None = None


class Move(NamedTuple):
    """A decoding request changes its cohort, keeping its KV cache: how a policy pauses or resumes it.

    Parameters
    ----------
    request : int
        A decoding request.
    cohort : int
        The cohort it decodes in from now on.
    """

    request: int
    cohort: int


class Plan(NamedTuple):
    """The composition of the next iterations; null fields mean "nothing of that kind".

    Preemptions happen first, then moves, then admissions; then the iterations run until the next decision epoch.

    Parameters
    ----------
    prefill : tuple of Chunk
        Prompt chunks of the next iteration; with any, the epoch is that one iteration.
    decode : tuple of int, optional
        Cohorts that advance; None means all of them.
    preempt : tuple of int
        Resident requests that lose their KV cache and go back to the head of the queue.
    wake_on_arrival : bool
        Whether an arrival ends the epoch, at the end of the iteration in flight.
    max_steps : int
        Most iterations before the policy is asked again.
    until_s : float
        The policy is asked again at the first iteration end at or after this time (seconds).
    moves : tuple of Move
        Decoding requests that change their cohort.
    """

    prefill: tuple[Chunk, ...] = ()
    decode: tuple[int, ...] | None = None
    preempt: tuple[int, ...] = ()
    wake_on_arrival: bool = True
    max_steps: int = sys.maxsize
    until_s: float = math.inf
    moves: tuple[Move, ...] = ()


DECODE_ALL = Plan()
"""Every cohort decodes; an arrival wakes the policy."""

DECODE_UNDISTURBED = Plan(wake_on_arrival=False)
"""Every cohort decodes; arrivals cannot change the decision."""

IDLE = Plan(decode=())
"""Nothing runs until something arrives."""
