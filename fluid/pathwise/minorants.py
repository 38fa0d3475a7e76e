"""Affine lower bounds of the iteration time in the form every bound of this package can use.

Two repairs turn a service model's own minorants into *sound* ones: no gain from recomputation (`recompute_proof`,
`reuse_proof`) and, where a share of the base is handed out, a base that is not negative (`standalone`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from orsched.catalogue import Hardware
from orsched.service import Minorant

_TO_ZERO = 1e-12


def recompute_proof(minorant: Minorant, least_prompt: int) -> Minorant:
    """Lower a minorant until re-prefilling a request never costs less than the decode it replaces.

    A preempted request with ``n`` cached tokens comes back by a prefill of ``n + 1`` tokens, and that
    prefill emits the token that a decode reading ``n`` tokens would have emitted. Recomputation therefore
    *replaces* a decode iteration, and the request's total work stays at least ``work_s`` only if, for every
    ``n >= least_prompt``,

        beta (n + 1) + chi (n + 1)^2 / 2 >= gamma + delta n.

    Where this fails, ``gamma`` and ``delta`` are lowered to ``delta' = min(delta, beta)`` and
    ``gamma' = min(gamma, beta (least_prompt + 1) - delta' least_prompt)``; smaller coefficients keep a
    minorant a minorant, and then the left side minus the right side is non-negative at ``least_prompt`` and
    does not decrease afterwards. (Iterations and resident KV need no such care: a re-prefill takes at
    least one iteration and leaves the same ``n + 1`` tokens cached.)

    Parameters
    ----------
    minorant : Minorant
        ``beta = prompt_token_s``, ``gamma = sequence_s``, ``delta = kv_token_s`` and
        ``chi = chunk_attention_s``.
    least_prompt : int
        Shortest prompt of the workload, tokens: no decode reads less.
    """
    beta, chi = minorant.prompt_token_s, minorant.chunk_attention_s
    gamma, delta = minorant.sequence_s, minorant.kv_token_s
    steady = beta >= delta
    if steady or chi > 0:
        # The difference is convex in n: take it where it is least.
        n = float(least_prompt) if steady else max(least_prompt, (delta - beta) / chi - 1.0)
        if beta * (n + 1) + chi * (n + 1) ** 2 / 2 >= gamma + delta * n:
            return minorant
    lowered = min(delta, beta)
    return Minorant(minorant.base_s, beta, min(gamma, beta + (beta - lowered) * least_prompt), lowered, chi)


def reuse_proof(minorant: Minorant, least_prompt: int) -> Minorant:
    """Lower a minorant until a re-prefill of what was *not* retained never costs less than the decode it replaces.

    Where the KV of preempted requests is retained (`Hardware.keeps_preempted_kv`), a request with ``n`` cached tokens
    may come back by processing ``n + 1 - r`` tokens after ``r <= n`` retained ones. The work
    ``beta (n + 1 - r) + chi ((n + 1)^2 - r^2) / 2`` decreases in ``r``, so what is needed is, for every
    ``n >= least_prompt``,

        beta + chi (n + 1/2) >= gamma + delta n.

    ``delta' = min(delta, chi)`` and ``gamma' = min(gamma, beta + chi/2 + (chi - delta') least_prompt)`` give it: the
    left side minus the right side is non-negative at ``least_prompt`` and does not decrease afterwards. The price is
    high: a minorant without attention within the prompt loses its KV term, because a chunk of one token re-reads the
    past for nothing in it.

    Parameters
    ----------
    minorant, least_prompt
        As in `recompute_proof`.
    """
    beta, chi = minorant.prompt_token_s, minorant.chunk_attention_s
    lowered = min(minorant.kv_token_s, chi)
    gamma = min(minorant.sequence_s, beta + chi / 2 + (chi - lowered) * least_prompt)
    return Minorant(minorant.base_s, beta, gamma, lowered, chi)


def sound_minorants(hardware: Hardware, least_prompt: int = 1) -> tuple[Minorant, ...]:
    """Take the service model's minorants, each proof against recomputation; bases may be negative."""
    lower = reuse_proof if hardware.keeps_preempted_kv else recompute_proof
    return tuple(lower(m, least_prompt) for m in hardware.service.affine_minorants())


def mix(minorants: Sequence[Minorant], weights: Sequence[float]) -> Minorant:
    """Convex combination: a weighted mean of lower bounds of T is a lower bound of T.

    Parameters
    ----------
    minorants : sequence of Minorant
        What to combine.
    weights : sequence of float
        Non-negative, summing to one (to rounding).
    """
    pairs = list(zip(minorants, weights, strict=True))
    return Minorant(
        sum(w * m.base_s for m, w in pairs),
        sum(w * m.prompt_token_s for m, w in pairs),
        sum(w * m.sequence_s for m, w in pairs),
        sum(w * m.kv_token_s for m, w in pairs),
        sum(w * m.chunk_attention_s for m, w in pairs),
    )


def standalone(minorants: Sequence[Minorant]) -> tuple[Minorant, ...]:
    """Extreme points of the convex mixtures whose base is not negative.

    The weights of such mixtures form a simplex cut by one half-space ``sum w_m alpha_m >= 0``; its
    vertices are the minorants with ``alpha_m >= 0`` and, for each pair with ``alpha_i > 0 > alpha_j``, the
    mixture with base zero. Consequently, for any works ``W_m`` and ``N_0 >= 0``,

        min over N >= N_0 of max_m (W_m + alpha_m N)  =  max over these of (W + alpha N_0)

    (LP duality: the left side is a linear programme in N and the height, its dual ranges over exactly these
    mixtures). Every mixture alone already gives a valid lower bound, so rounding in the weights cannot
    hurt: the weight of the negative base is shaved by 1e-12, so that the exact base is positive before
    it is dropped to zero. Without any ``alpha_m >= 0`` the trivial ``T >= 0`` is returned.
    """
    positive = [m for m in minorants if m.base_s >= 0]
    negative = [m for m in minorants if m.base_s < 0]
    found = list(positive)
    for up, down in product(positive, negative):
        share = up.base_s / (up.base_s - down.base_s) * (1.0 - _TO_ZERO)
        blend = mix((up, down), (1.0 - share, share))
        found.append(Minorant(0.0, blend.prompt_token_s, blend.sequence_s, blend.kv_token_s, blend.chunk_attention_s))
    return tuple(found) or (Minorant(0.0, 0.0, 0.0, 0.0),)
