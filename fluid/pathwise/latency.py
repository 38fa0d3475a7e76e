"""The SRPT family: lower bounds on mean latency and mean time to first token for one sample path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

import numpy as np

from fluid.pathwise.critical_path import decode_alone_s
from fluid.pathwise.minorants import mix, sound_minorants, standalone
from fluid.pathwise.srpt import srpt_flow_bound_s
from orsched.catalogue import Hardware
from orsched.fitting import usable_tokens
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.work import Floats, Ints, RequestWork
from orsched.workloads import Workload

_ROUNDING = 1e-12
"""A job size in double precision errs by less than 20 units in the last place; sizes are shaved by more."""

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_SPLITS = (0.25, 0.5, 0.75, 1.0)
_SAMPLE = 1000


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of the family; every choice gives a valid bound.

    Parameters
    ----------
    minorant : Minorant
        A sound minorant or mixture with base >= 0.
    batch_share : float
        ``a`` in [0, 1]: the part of the base handed out by seats in the batch, the rest by resident KV.
    split : float
        Part of each answer scheduled on the machine; the rest enters by its critical path. 0 is the first
        token only, 1 the whole request.
    """

    minorant: Minorant
    batch_share: float
    split: float


@dataclass(frozen=True, slots=True)
class SrptFamily:
    """Lower bounds on sums of flow times of one sample path, one for each `Choice`.

    *Shares.* Consider an iteration of length T on one instance, with a sound minorant (or mixture) of base
    ``alpha >= 0``. Give each participating request its own marginal work plus
    ``alpha (a / B_max + (1 - a) r_i / C)``, where ``r_i`` is the KV it holds in that iteration (in whole
    blocks) and C the usable capacity. At most B_max requests take part and the participants hold at most C,
    so the shares of alpha add up to at most alpha and all shares together to at most T: during the iteration
    the instance is a machine of speed one that serves the participants at rates summing to at most one. A
    request's shares up to its ``k``-th output token add up to at least

        p_i = work(l_i, k) + alpha (a k / B_max + (1 - a) vol(l_i, k) / C),

    because each token is emitted by an iteration of its own in which the request holds at least
    ``l_i + (tokens emitted before)`` tokens, the marginal works of chunks telescope, and recomputation never
    costs less than the decode it replaces (`fluid.pathwise.minorants.recompute_proof`). With n instances the rates
    add up to at most n; letting one job use all of it only relaxes. So the times of the ``k_i``-th tokens
    are completion times of a preemptive schedule of jobs ``p_i``, released at the arrivals, on a machine of
    speed n, and their flow times add up to at least those of SRPT.

    *Splits.* After its ``k_i``-th token a request takes at least the critical path of the rest
    (`fluid.pathwise.critical_path.decode_alone_s`), and latency is the sum of the two. So for any ``k_i``

        sum of latencies >= SRPT(p(k), arrivals) + sum of the critical paths after k_i.

    ``k_i = 1`` bounds the sum of TTFT and is best at low load; ``k_i = o_i`` is best at high load.

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.
    mixtures : tuple of Minorant
        Sound minorants with base >= 0 (`fluid.pathwise.minorants.standalone`).
    """

    workload: Workload
    fleet: Fleet
    mixtures: tuple[Minorant, ...]

    @classmethod
    def of(cls, workload: Workload, fleet: Fleet) -> SrptFamily:
        """Build the family of a workload on a fleet."""
        sound = sound_minorants(fleet.hardware, int(workload.input_tokens.min()))
        return cls(workload, fleet, standalone(sound))

    def flow_sum_s(self, choice: Choice) -> Fraction:
        """Lower bound on the sum over all requests of (time of token ``k_i``) - arrival, seconds."""
        work = self.workload
        sizes = job_sizes_s(choice, work.input_tokens, self._tokens(choice.split), self.fleet.hardware)
        return srpt_flow_bound_s(work.arrival_s, sizes, self.fleet.size)

    def tail_sum_s(self, split: float) -> float:
        """Sum over all requests of the critical path after token ``k_i``, seconds."""
        work = self.workload
        tails = decode_alone_s(self.mixtures, work.input_tokens, self._tokens(split), work.output_tokens)
        return float(np.sum(tails))

    def best(self, split: float) -> Choice:
        """Find a good choice for a split on at most 1,000 consecutive requests; any choice is valid."""
        n = len(self.workload)
        start = max(0, (n - _SAMPLE) // 2)
        sample = replace(self, workload=self.workload.slice(start, min(n, start + _SAMPLE)))
        blends = [mix(pair, (0.5, 0.5)) for pair in combinations(self.mixtures, 2)]
        candidates = [Choice(m, a, split) for m in (*self.mixtures, *blends) for a in _SHARES]
        return max(candidates, key=sample.flow_sum_s)

    def mean_first_token(self) -> tuple[float, Choice]:
        """Lower bound on mean TTFT in seconds, and the choice that gives it."""
        choice = self.best(0.0)
        return float(self.flow_sum_s(choice) / len(self.workload)), choice

    def mean_latency(self, splits: Sequence[float] = _SPLITS) -> tuple[float, Choice]:
        """Lower bound on mean latency in seconds, and the choice that gives it, over the given splits."""
        values = []
        for split in splits:
            choice = self.best(split)
            total = self.flow_sum_s(choice) + Fraction(self.tail_sum_s(split))
            values.append((float(total / len(self.workload)), choice))
        return max(values, key=lambda pair: pair[0])

    def _tokens(self, split: float) -> Ints:
        outputs = self.workload.output_tokens
        tokens: Ints = np.clip(np.ceil(split * outputs), 1, outputs).astype(np.int64)
        return tokens


def job_sizes_s(choice: Choice, input_tokens: Ints, emitted: Ints, hardware: Hardware) -> Floats:
    """Compute the sizes ``p_i`` of `SrptFamily`, up to output token `emitted`; seconds, shape ``(n,)``."""
    minorant, a = choice.minorant, choice.batch_share
    seats = emitted / hardware.max_num_seqs
    memory = kv_volume(input_tokens, emitted, hardware.block_tokens) / usable_tokens(hardware)
    own = minorant.work_s(RequestWork.of(input_tokens, emitted))
    sizes: Floats = (own + minorant.base_s * (a * seats + (1 - a) * memory)) * (1 - _ROUNDING)
    return sizes


def kv_volume(input_tokens: Ints, output_tokens: Ints, block_tokens: int) -> Floats:
    """Token-iterations of KV memory over a request's life in whole blocks, shape ``(n,)``.

    ``sum_{k=0}^{o-1} b ceil((l + k) / b)``; with ``b = 1`` this is `RequestWork.kv_volume`.
    """

    def blocks_up_to(x: Ints) -> Floats:
        """``sum_{y=1}^{x} ceil(y / b)``."""
        whole, rest = np.divmod(x, block_tokens)
        blocks: Floats = whole.astype(float)
        total: Floats = block_tokens * blocks * (blocks + 1) / 2 + rest * (blocks + 1)
        return total

    first, last = blocks_up_to(input_tokens - 1), blocks_up_to(input_tokens + output_tokens - 1)
    volume: Floats = block_tokens * (last - first)
    return volume
