"""What WAIT's classes look like in the fluid: survivors and KV by decode progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orsched.service import Batch, ServiceModel
from orsched.work import Floats, Ints
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True, eq=False)
class ClassProfile:
    """One class of WAIT, per admitted request; arrays of shape ``(o_max,)`` are indexed by tokens emitted so far.

    A class whose requests all have the same lengths gives the paper's formulas exactly; otherwise these are
    the class's means.

    Parameters
    ----------
    rate_per_s : float
        Arrival rate on one instance.
    input_tokens, chunk_attention : float
        Mean prompt length ``l`` and mean ``l^2 / 2``.
    active : ndarray of float64
        Share of the requests with more than ``e`` output tokens.
    kv_reads : ndarray of float64
        KV tokens the iteration after ``e`` emitted tokens reads (0 for the prefill, ``e = 0``).
    resident : ndarray of float64
        KV tokens held at the end of that iteration.
    """

    rate_per_s: float
    input_tokens: float
    chunk_attention: float
    active: Floats
    kv_reads: Floats
    resident: Floats

    @classmethod
    def of(cls, rate_per_s: float, input_tokens: Ints, output_tokens: Ints) -> ClassProfile:
        """Profile of a class from the lengths of its requests (int arrays of shape ``(n,)``); none: all zero."""
        if len(input_tokens) == 0:
            none = np.zeros(1)
            return cls(0.0, 0.0, 0.0, none, none, none)
        longest = int(output_tokens.max())
        emitted = np.arange(longest)
        ended = np.bincount(output_tokens, minlength=longest + 1)[1:]
        ended_prompt = np.bincount(output_tokens, weights=input_tokens, minlength=longest + 1)[1:]
        n = len(input_tokens)
        active = 1.0 - np.concatenate([[0.0], np.cumsum(ended)[:-1]]) / n
        prompt = input_tokens.mean() - np.concatenate([[0.0], np.cumsum(ended_prompt)[:-1]]) / n
        reads = np.where(emitted > 0, prompt + (emitted - 1) * active, 0.0)
        length = input_tokens.astype(float)
        return cls(
            rate_per_s,
            float(length.mean()),
            float((length * length).mean() / 2),
            active,
            reads,
            prompt + emitted * active,
        )

    @classmethod
    def largest(cls, profiles: Sequence[ClassProfile]) -> ClassProfile:
        """The largest of each number over several profiles, without a rate: no mixture of them exceeds it anywhere."""
        longest = max(len(p.active) for p in profiles)
        top = []
        for name in ("active", "kv_reads", "resident"):
            rows = np.zeros((len(profiles), longest))
            for row, profile in zip(rows, profiles, strict=True):
                values = getattr(profile, name)
                row[: len(values)] = values
            top.append(rows.max(axis=0))
        return cls(0.0, max(p.input_tokens for p in profiles), max(p.chunk_attention for p in profiles), *top)


def class_profiles(workload: Workload, class_of: Ints, classes: int, instances: int) -> tuple[ClassProfile, ...]:
    """Profiles of `classes` classes (some may be empty), arrivals split evenly over `instances`."""
    share = workload.rate_per_s / len(workload) / instances
    profiles = []
    for j in range(classes):
        rows = class_of == j
        inputs, outputs = workload.input_tokens[rows], workload.output_tokens[rows]
        profiles.append(ClassProfile.of(share * float(rows.sum()), inputs, outputs))
    return tuple(profiles)


def cycle_batches(profiles: Sequence[ClassProfile], thresholds: Sequence[float], stage_iterations: int) -> list[Batch]:
    """The batches of one full cycle: all classes fire with `thresholds` prompts in every stage.

    A cycle is `stage_iterations` iterations; the first one also prefills. With one iteration a stage it is the
    paper's full batch. Entries are real numbers: means over the class.
    """
    prompt = sum(n * p.input_tokens for n, p in zip(thresholds, profiles, strict=True))
    attention = sum(n * p.chunk_attention for n, p in zip(thresholds, profiles, strict=True))
    seqs = np.zeros(stage_iterations)
    reads = np.zeros(stage_iterations)
    for n, p in zip(thresholds, profiles, strict=True):
        decoding = p.active.copy()
        decoding[0] = 0.0
        seqs += n * _fold(decoding, stage_iterations)
        reads += n * _fold(p.kv_reads, stage_iterations)
    first = Batch(prompt, attention, 0, seqs[0], reads[0])
    rest = [Batch(0, 0.0, 0, b, k) for b, k in zip(seqs[1:], reads[1:], strict=True)]
    return [first, *rest]


def cycle_s(
    service: ServiceModel,
    profiles: Sequence[ClassProfile],
    thresholds: Sequence[float],
    stage_iterations: int,
) -> float:
    """Duration of one full cycle in seconds; ``d0 + d1 M^pi`` for the paper's model and one iteration a stage."""
    batches = cycle_batches(profiles, thresholds, stage_iterations)
    return sum(service.iteration_s(b) for b in batches if b.num_seqs or b.prompt_tokens)


def cycle_memory_tokens(
    profiles: Sequence[ClassProfile],
    thresholds: Sequence[float],
    stage_iterations: int,
    block_tokens: int,
) -> float:
    """KV tokens held when every stage of every class is full: ``M^pi``, with blocks rounded up."""
    waste = block_tokens - 1
    return sum(
        n * float(_fold(p.resident + waste * p.active, stage_iterations).max())
        for n, p in zip(thresholds, profiles, strict=True)
    )


def cycle_seats(profiles: Sequence[ClassProfile], thresholds: Sequence[float], stage_iterations: int) -> float:
    """Requests in the batch when every stage of every class is full."""
    return sum(n * float(_fold(p.active, stage_iterations).max()) for n, p in zip(thresholds, profiles, strict=True))


def _fold(values: Floats, period: int) -> Floats:
    """Sums of `values` over indices congruent modulo `period`, shape ``(period,)``."""
    padded = np.zeros(-(-len(values) // period) * period)
    padded[: len(values)] = values
    return np.asarray(padded.reshape(-1, period).sum(axis=0))
