"""What a request costs: iterations, KV reads, KV volume and chunk attention, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RequestWork:
    """Work of each request under the toolkit's convention (arrays of shape ``(n,)``).

    The iteration that finishes the prompt (``l`` tokens) also emits output token 1; ``o - 1`` decode
    iterations follow. The ``k``-th of them (``k = 1..o-1``) reads ``l + k - 1`` cached tokens and leaves
    ``l + k`` resident.

    WAIT's model (arXiv 2504.11320) counts one prefill step and ``l'`` decode steps, stage ``s`` holding
    ``l + s`` tokens. It is this convention with ``o = l' + 1``: `kv_volume` is then exactly its
    ``S = (l' + 1)(l + l'/2)``, and ``prompt + decode_iterations + kv_reads`` equals ``S`` too, so that its
    ``d0 + d1 * KV`` is the affine service model with equal prompt, sequence and KV coefficients.

    Parameters
    ----------
    prompt_tokens, iterations, decode_iterations : ndarray of int64
        ``l``, ``o`` and ``o - 1``.
    kv_reads : ndarray of float64
        KV tokens read over the request's life, ``v = sum_k (l + k - 1)``.
    kv_volume : ndarray of float64
        Token-iterations of resident KV, ``m = sum_{k=0}^{o-1} (l + k)``.
    chunk_attention : ndarray of float64
        ``l^2 / 2``: however a prompt is cut into chunks, ``sum p (past + p/2)`` telescopes to it.
    """

    prompt_tokens: Ints
    iterations: Ints
    decode_iterations: Ints
    kv_reads: Floats
    kv_volume: Floats
    chunk_attention: Floats

    @classmethod
    def of(cls, input_tokens: Ints, output_tokens: Ints) -> RequestWork:
        """Compute the work of requests with the given lengths (int arrays of shape ``(n,)``)."""
        prompt = np.asarray(input_tokens, dtype=np.int64)
        out = np.asarray(output_tokens, dtype=np.int64)
        decodes = out - 1
        length, steps = prompt.astype(float), decodes.astype(float)
        reads = steps * length + steps * (steps - 1) / 2
        volume = (steps + 1) * length + steps * (steps + 1) / 2
        return cls(prompt, out, decodes, reads, volume, length * length / 2)
