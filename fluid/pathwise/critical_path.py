"""What a request takes even if the machine is its own: lower bounds request by request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np

from fluid.pathwise.minorants import sound_minorants, standalone
from orsched.fleet import Fleet
from orsched.service import Minorant
from orsched.work import Floats, Ints, RequestWork
from orsched.workloads import Workload


def prefill_alone_s(minorants: Sequence[Minorant], input_tokens: Ints) -> Floats:
    """Lower bound on the time each prompt spends in iterations, however it is cut into chunks.

    A prompt of ``l`` tokens takes part in ``k`` iterations, ``1 <= k <= l``, and every minorant holds in
    each of them; the chunks' tokens add up to ``l`` and their chunk attention to ``l^2 / 2``. So the time
    is at least ``max_m (w_m + alpha_m k)``, ``w_m = beta_m l + chi_m l^2 / 2``, for the ``k`` the policy
    chose, hence

        prefill_i >= min over k in 1..l of max_m (w_m + alpha_m k).

    Taking the whole prompt alone would be wrong for a hinged model: small chunks escape the hinge at the
    price of one base each. The maximum is convex and piecewise linear in ``k``, so over the integers its
    minimum is at an end or next to a crossing of two lines. Tokens processed before a preemption only add.

    Parameters
    ----------
    minorants : sequence of Minorant
        Sound minorants (`fluid.pathwise.minorants.sound_minorants`); bases may be negative.
    input_tokens : ndarray of int64, shape (n,)
        Prompt lengths.

    Returns
    -------
    ndarray of float64, shape (n,)
        Seconds, >= 0.
    """
    most = input_tokens.astype(float)
    prompt_only = RequestWork.of(input_tokens, np.ones_like(input_tokens))
    works = [m.work_s(prompt_only) for m in minorants]
    bases = [m.base_s for m in minorants]

    def height(chunks: Floats) -> Floats:
        return reduce(np.maximum, (w + a * chunks for w, a in zip(works, bases, strict=True)))

    least = np.minimum(height(np.ones_like(most)), height(most))
    for i, j in combinations(range(len(bases)), 2):
        if bases[i] != bases[j]:
            crossing = np.clip((works[j] - works[i]) / (bases[i] - bases[j]), 1.0, most)
            least = np.minimum(least, np.minimum(height(np.floor(crossing)), height(np.ceil(crossing))))
    return np.maximum(least, 0.0)


def decode_alone_s(mixtures: Sequence[Minorant], input_tokens: Ints, from_token: Ints, to_token: Ints) -> Floats:
    """Lower bound on the time between a request's output tokens `from_token` and `to_token`.

    Each token after the first is emitted by an iteration of its own that the request takes part in: a
    decode, or a re-prefill that costs no less (`fluid.pathwise.minorants.recompute_proof`). The iterations of one
    request do not overlap, so their minorants add up:
    ``(t - s)(alpha + gamma) + delta (reads up to t - reads up to s)`` for each mixture with ``alpha >= 0``.

    Parameters
    ----------
    mixtures : sequence of Minorant
        With non-negative base (`fluid.pathwise.minorants.standalone`).
    input_tokens : ndarray of int64, shape (n,)
        Prompt lengths.
    from_token, to_token : ndarray of int64, shape (n,)
        Output token counts, ``1 <= from_token <= to_token``.

    Returns
    -------
    ndarray of float64, shape (n,)
        Seconds, >= 0.
    """
    steps = (to_token - from_token).astype(float)
    start, end = RequestWork.of(input_tokens, from_token), RequestWork.of(input_tokens, to_token)
    reads = end.kv_reads - start.kv_reads
    times = [steps * (m.base_s + m.sequence_s) + m.kv_token_s * reads for m in mixtures]
    return reduce(np.maximum, times)


@dataclass(frozen=True, slots=True)
class CriticalPaths:
    """Lower bounds request by request: what each takes on an instance of its own.

    Parameters
    ----------
    prefill_s : ndarray of float64, shape (n,)
        On time to first token, seconds.
    decode_s : ndarray of float64, shape (n,)
        On completion minus first token, seconds.
    output_tokens : ndarray of int64, shape (n,)
        Output lengths.
    """

    prefill_s: Floats
    decode_s: Floats
    output_tokens: Ints

    @classmethod
    def of(cls, workload: Workload, fleet: Fleet) -> CriticalPaths:
        """Critical paths of a workload's requests on an instance of `fleet`."""
        sound = sound_minorants(fleet.hardware, int(workload.input_tokens.min()))
        inputs, outputs = workload.input_tokens, workload.output_tokens
        decode = decode_alone_s(standalone(sound), inputs, np.ones_like(outputs), outputs)
        return cls(prefill_alone_s(sound, inputs), decode, outputs)

    @property
    def latency_s(self) -> Floats:
        """On completion minus arrival, seconds, shape ``(n,)``."""
        return self.prefill_s + self.decode_s

    @property
    def tpot_s(self) -> Floats:
        """On time per output token after the first, where there is one; seconds, shape ``(k,)``."""
        several = self.output_tokens >= 2
        return self.decode_s[several] / (self.output_tokens[several] - 1)
