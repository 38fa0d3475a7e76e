"""Scheduling in unit rounds under a memory limit: the instance, and what makes a schedule valid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Affine
from orsched.workloads import Workload

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RoundInstance:
    """Requests served in rounds of one time unit each; columns of shape ``(n,)``.

    A request started at round k runs in rounds k+1..k+o without pause and holds s+1..s+o tokens in them; in
    every round the running requests together hold at most `memory_tokens`. The model of Jaillet et al.
    (arXiv 2502.07115). Build it with `RoundInstance.of`, which checks every column.

    Parameters
    ----------
    arrival_rounds : ndarray of int64
        First round at which the request may be started, >= 0.
    prompt_tokens : ndarray of int64
        s: tokens held before the first output token, >= 0.
    output_tokens : ndarray of int64
        o: rounds the request runs, >= 1.
    memory_tokens : int
        M, at least every s + o.
    """

    arrival_rounds: Ints
    prompt_tokens: Ints
    output_tokens: Ints
    memory_tokens: int

    @classmethod
    def of(
        cls, arrival_rounds: ArrayLike, prompt_tokens: ArrayLike, output_tokens: ArrayLike, memory_tokens: int
    ) -> RoundInstance:
        """Check the columns and build an instance.

        Raises
        ------
        InputError
            Naming the column and the row: values that are not whole or too small, columns of different
            length, no request, or a request that does not fit into the memory.
        """
        arrival = _whole("arrival_rounds", arrival_rounds, 0)
        prompt = _whole("prompt_tokens", prompt_tokens, 0)
        output = _whole("output_tokens", output_tokens, 1)
        if not len(arrival) == len(prompt) == len(output):
            raise InputError(f"round instance: columns of length {len(arrival)}, {len(prompt)} and {len(output)}")
        if len(arrival) == 0:
            raise InputError("round instance: at least one request is needed")
        if isinstance(memory_tokens, bool) or not isinstance(memory_tokens, int | np.integer) or memory_tokens < 1:
            raise InputError(f"memory_tokens = {memory_tokens!r}: must be a whole number >= 1")
        peak = prompt + output
        if peak.max() > memory_tokens:
            row = int(np.argmax(peak))
            raise InputError(
                f"request {row} holds {int(peak[row])} tokens at its end, the memory is {memory_tokens}: "
                "raise memory_tokens or leave the request out"
            )
        return cls(arrival, prompt, output, int(memory_tokens))

    def __len__(self) -> int:
        return len(self.arrival_rounds)

    @property
    def volume(self) -> Ints:
        """Token-rounds each request holds over its life: ``s o + o (o + 1) / 2``, shape ``(n,)``."""
        s, o = self.prompt_tokens, self.output_tokens
        return s * o + o * (o + 1) // 2

    def ramp(self, request: int) -> Ints:
        """Tokens one request holds in the rounds it runs: ``s+1..s+o``."""
        s, o = int(self.prompt_tokens[request]), int(self.output_tokens[request])
        return np.arange(s + 1, s + o + 1)


def occupied(instance: RoundInstance, starts: Ints) -> Ints:
    """Tokens held in each round by the requests started at `starts`, shape ``(last completion + 1,)``."""
    tokens = np.zeros(int((starts + instance.output_tokens).max()) + 1, dtype=np.int64)
    for request, start in enumerate(starts.tolist()):
        tokens[start + 1 : start + 1 + int(instance.output_tokens[request])] += instance.ramp(request)
    return tokens


def check_schedule(instance: RoundInstance, starts: Ints) -> None:
    """Refuse a schedule that starts a request before it arrives or holds more than M tokens in a round.

    Raises
    ------
    InputError
        Naming the request or the round.
    """
    if starts.shape != (len(instance),):
        raise InputError(f"a schedule of {len(instance)} requests needs as many starts, got shape {starts.shape}")
    early = np.flatnonzero(starts < instance.arrival_rounds)
    if len(early):
        i = int(early[0])
        raise InputError(f"request {i} starts at round {starts[i]}, before it arrives at {instance.arrival_rounds[i]}")
    held = occupied(instance, starts)
    if held.max() > instance.memory_tokens:
        t = int(np.argmax(held > instance.memory_tokens))
        raise InputError(f"round {t} holds {held[t]} tokens, the memory is {instance.memory_tokens}")


def total_latency(instance: RoundInstance, starts: Ints) -> int:
    """TEL: sum over requests of completion minus arrival, rounds."""
    return int((starts + instance.output_tokens - instance.arrival_rounds).sum())


def as_serving(instance: RoundInstance, name: str = "rounds") -> tuple[Workload, Fleet]:
    """The same instance for the engine: iterations of one second, memory M, prompts of s + 1 tokens.

    The engine's request with prompt l holds l..l+o-1 tokens over its o iterations (`orsched.work`), which for
    ``l = s + 1`` is ``s+1..s+o``. An iteration takes one second whatever is in it, so a round is a second.
    Policies that pause or preempt leave the round model: see `fluid.hindsight.hindsight_optimum`.
    """
    workload = Workload.of(
        instance.arrival_rounds.astype(float), instance.prompt_tokens + 1, instance.output_tokens, name=name
    )
    hardware = Hardware(
        f"{name}-memory-{instance.memory_tokens}",
        Affine(1.0, 0.0, 0.0, 0.0),
        instance.memory_tokens,
        max_num_seqs=max(len(instance), 1),
        kind="theory",
        source="arXiv 2502.07115",
    )
    return workload, Fleet.single(hardware)


def _whole(name: str, values: ArrayLike, least: int) -> Ints:
    column = np.asarray(values)
    if column.ndim != 1:
        raise InputError(f"{name}: one value per request is needed, got shape {column.shape}")
    if column.dtype == bool or not np.issubdtype(column.dtype, np.number):
        raise InputError(f"{name}: values must be whole numbers, got {column.dtype}")
    bad = ~np.isfinite(column) | (column != np.floor(column)) | (column < least)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"{name} row {row} = {column[row]}: must be a whole number >= {least}")
    return column.astype(np.int64)
