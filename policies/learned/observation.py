"""What a learned policy observes: an instance as a few numbers between 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orsched.checks import check_is
from orsched.policy import Information

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orsched.engine.view import InstanceView

LOOKAHEAD = 32
"""Requests at the head of the queue that are looked at one by one."""

BINS = 8
"""Bins of a histogram of tokens: 0 to 15, 16 to 31, 32 to 63, and so on; the last is 1024 and more."""

BLIND: tuple[tuple[str, str], ...] = (
    ("waiting", "waiting requests n, as n / (n + 16)"),
    ("waiting_tokens", "prompt tokens t of the first 32 that wait, as t / (t + 8192)"),
    ("head_wait", "seconds s since the first that waits arrived, as s / (s + 1)"),
    ("head_tokens", "tokens of its prompt, as a share of the longest context"),
    ("head_memory", "KV blocks of its prompt, as a share of all"),
    ("head_fits", "1 if these are free beside the growth of one decode iteration"),
    ("head_recomputed", "share of its prompt that was computed before and lost"),
    ("running", "admitted requests, as a share of the seats"),
    ("decoding", "those of them that decode, as a share of the seats"),
    ("kv_used", "KV blocks in use, as a share of all"),
    ("kv_growth", "blocks g that one decode iteration takes, of f free ones, as g / (g + f)"),
    ("prompt_left", "tokens left of the prompts in progress, as a share of the longest context"),
    *((f"emitted_{k}", f"share of the decoding requests whose emitted tokens are in bin {k}") for k in range(BINS)),
)
"""Names and meanings of what is observed without information on output lengths."""

KNOWING: tuple[tuple[str, str], ...] = (
    ("head_output", "output tokens of the first that waits, as a share of the longest context"),
    ("least_output", "the least output tokens of the first 32 that wait, as a share of the longest context"),
    ("next_exit", "the least tokens n a decoding request has still to emit, as n / (n + 16)"),
    *((f"left_{k}", f"share of the decoding requests whose tokens still to emit are in bin {k}") for k in range(BINS)),
)
"""What comes after these for a policy that knows output lengths, or is told predictions of them."""


@dataclass(frozen=True, slots=True)
class Observer:
    """Turns a view into an observation, shape ``(len(names),)``, float32, every entry in [0, 1].

    Parameters
    ----------
    information : Information
        Above `Information.CLASS` output lengths are part of it, as the view tells them: true or predicted. A view of
        less information refuses.
    """

    information: Information = Information.NONE

    def __post_init__(self) -> None:
        check_is(self, "information", Information)

    @property
    def features(self) -> tuple[tuple[str, str], ...]:
        """Name and meaning of every entry, in order."""
        return BLIND + KNOWING if self.information >= Information.PREDICTED else BLIND

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries, in order."""
        return tuple(name for name, _ in self.features)

    def __call__(self, view: InstanceView, /) -> NDArray[np.float32]:
        """Observe an instance."""
        decoding = view.members()
        emitted = [view.emitted_tokens(request) for request in decoding]
        values = [*_queue(view), *_batch(view, len(decoding)), *histogram(emitted)]
        if self.information >= Information.PREDICTED:
            left = [view.output_tokens(request) - done for request, done in zip(decoding, emitted, strict=True)]
            values += [*_lengths(view), *_squash([min(left, default=0)], 16.0), *histogram(left)]
        return np.minimum(np.array(values, dtype=np.float32), np.float32(1))


def _queue(view: InstanceView) -> list[float]:
    head = next(iter(view.waiting), None)
    if head is None:
        return [0.0] * 7
    prompts, prompt = view.prompt_tokens, view.prompt_tokens[head]
    blocks = view.blocks_for(prompt)
    ahead = sum([prompts[request] for request in islice(view.waiting, LOOKAHEAD)])
    wait_s = view.now_s - view.arrival_s(head)
    return [
        *_squash([len(view.waiting)], 16.0),
        *_squash([ahead], 8192.0),
        *_squash([max(wait_s, 0.0)], 1.0),
        prompt / _longest(view),
        blocks / view.capacity_blocks,
        float(blocks <= view.free_blocks - view.growth_blocks()),
        1 - view.input_tokens(head) / prompt,
    ]


def _batch(view: InstanceView, decoding: int) -> list[float]:
    free, growth = view.free_blocks, view.growth_blocks()
    left = sum([view.prompt_left(request) for request in view.prefilling])
    return [
        view.num_running / view.max_num_seqs,
        decoding / view.max_num_seqs,
        1 - free / view.capacity_blocks,
        growth / (growth + free) if growth else 0.0,
        left / _longest(view),
    ]


def _lengths(view: InstanceView) -> list[float]:
    longest = _longest(view)
    outputs = [view.output_tokens(request) / longest for request in islice(view.waiting, LOOKAHEAD)]
    return [outputs[0], min(outputs)] if outputs else [0.0, 0.0]


def _longest(view: InstanceView) -> int:
    """The longest context, at least 1: an instance that knows of no request has none."""
    return max(view.context_tokens, 1)


def _squash(values: Iterable[float], half: float) -> list[float]:
    """Map 0 to infinity onto 0 to 1; `half` becomes a half."""
    return [value / (value + half) for value in values]


def histogram(tokens: list[int]) -> list[float]:
    """Share of the counts in each of the `BINS`; 0 everywhere where there are none."""
    bits = [count.bit_length() for count in tokens]
    first, middle = sum(map(bits.count, range(5))), [bits.count(length) for length in range(5, BINS + 3)]
    last = len(bits) - first - sum(middle)
    return [count / max(len(bits), 1) for count in (first, *middle, last)]
