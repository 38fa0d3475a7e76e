"""What a request costs the machine when its iterations must not take long: pace as a part of its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from orsched.service import Minorant
from orsched.work import Floats, RequestWork

Part = Literal["prefill", "decode", "all"]
"""Part of a request's life: up to its first token, after it, or both."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Part of each request's life that emits a fixed number of tokens, under one minorant.

    *Pace.* Let an iteration of length ``T >= alpha + sum of the participants' marginal works x`` hand to each
    participant the share ``x T / (T - alpha)``: the shares add up to at most T. A request whose ``k``
    iterations of this stage have marginal works ``x_1 .. x_k`` and may last at most L together receives

        sum_j x_j T_j / (T_j - alpha) = sum_j x_j + alpha sum_j x_j / (T_j - alpha)
                                     >= sum_j x_j + alpha (sum_j sqrt(x_j))^2 / (L - k alpha),

    by Cauchy and Schwarz with ``sum_j (T_j - alpha) <= L - k alpha``. A request in a hurry needs small
    batches, and those waste the base. For ``L -> infinity`` it is the plain work; with equal x and iterations of
    length T it is exactly the time that the request takes up in a batch which fills T.

    More iterations (a prompt in chunks, a re-prefill after a preemption) only raise the right-hand side: they
    shorten ``L - k alpha``, and the root of a sum is at most the sum of the roots. A re-prefill has no
    smaller marginal work than the decode it replaces (`fluid.pathwise.minorants.recompute_proof`).

    Parameters
    ----------
    base_s : float
        ``alpha >= 0``.
    iterations : ndarray of float64, shape (n,)
        Least number of iterations, k.
    work_s : ndarray of float64, shape (n,)
        Least sum of the marginal works.
    roots : ndarray of float64, shape (n,)
        Lower bound on the sum of the roots of the marginal works, in root seconds.
    """

    base_s: float
    iterations: Floats
    work_s: Floats
    roots: Floats

    @classmethod
    def of(cls, minorant: Minorant, work: RequestWork, part: Part) -> Stage:
        """Tabulate a part of the life of requests with the given work."""
        if part == "prefill":
            return cls._prefill(minorant, work)
        decode = cls._decode(minorant, work)
        return decode if part == "decode" else cls._prefill(minorant, work) + decode

    @classmethod
    def _prefill(cls, minorant: Minorant, work: RequestWork) -> Stage:
        """Everything up to the first token."""
        own = minorant.prompt_token_s * work.prompt_tokens + minorant.chunk_attention_s * work.chunk_attention
        return cls(minorant.base_s, np.ones_like(own), own, np.sqrt(own))

    @classmethod
    def _decode(cls, minorant: Minorant, work: RequestWork) -> Stage:
        """Everything after the first token: ``o - 1`` iterations of marginal works ``gamma + delta (l + j)``.

        The root is concave, so its value at a point is at least its mean over the unit interval around it:
        the sum of the roots is at least ``integral of sqrt(gamma + delta (l + t)) for t in [-1/2, o - 3/2]``,
        which is ``2/3 (o - 1) (u + sqrt(u v) + v) / (sqrt(u) + sqrt(v))`` with v and u the ends.
        """
        steps = work.decode_iterations.astype(float)
        own = minorant.sequence_s * steps + minorant.kv_token_s * work.kv_reads
        v = minorant.sequence_s + minorant.kv_token_s * (work.prompt_tokens - 0.5)
        u = v + minorant.kv_token_s * steps
        ends = np.sqrt(u) + np.sqrt(v)
        mean = np.divide(u + np.sqrt(u * v) + v, ends, out=np.zeros_like(u), where=ends > 0)
        return cls(minorant.base_s, steps, own, 2 / 3 * steps * mean)

    def __add__(self, other: Stage) -> Stage:
        """Both stages under one limit on their time together."""
        return Stage(
            self.base_s, self.iterations + other.iterations, self.work_s + other.work_s, self.roots + other.roots
        )

    def paced_s(self, limit_s: Floats) -> Floats:
        """Least share of the machine when the stage may last at most `limit_s`; infinite when it cannot be done.

        ``L - k alpha`` may lose digits; the limits of `fluid.pathwise.deadlines` have been enlarged by more.
        """
        spare = limit_s - self.iterations * self.base_s
        need = self.base_s * self.roots**2
        wasted = np.divide(need, spare, out=np.where(need > 0, np.inf, 0.0), where=spare > 0)
        total: Floats = self.work_s + wasted
        return total
