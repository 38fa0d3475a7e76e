"""The tightest affine minorants of a tabulated model, by a small linear programme for each typical batch.

All conditions of `orsched.service.tabulated.minorants` are linear in the six slopes and five constants. For each
batch of `typical_batches` a programme finds those with the largest lower bound there, as a share of the iteration
time; the other batches count a little (`_ELSEWHERE`), so that ties go to what is good elsewhere. It also asks for
``t1 + beta >= delta``: without it `fluid.pathwise.minorants.recompute_proof` would lower ``delta``, because
prefilling a token again would cost less than reading it. All share one ``chi``, the best for all batches together:
what all minorants grant alike can be set apart, which makes the tables of `fluid.pathwise.participations` smaller.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from orsched.service.minorant import Minorant
from orsched.service.model import Batch
from orsched.service.tabulated.minorants import SLOPES, Conditions
from orsched.work import Floats

if TYPE_CHECKING:
    from orsched.service.tabulated.tabulated import Tabulated

_ELSEWHERE = 0.02
"""Weight of a typical batch in the programmes of the others."""

_GAIN = 1e-3
"""One more minorant has to raise the lower bound by this share of the time, in the mean over the typical batches."""

_MOST = 3
"""Most minorants: the compositions that `fluid.modes.batches` has to look at multiply with each."""

_TYPICAL = (
    # prompt tokens, cached before, decodes, context of each
    *((0, 0, decodes, 1024) for decodes in (1, 8, 32, 128, 256)),
    *((0, 0, 64, context) for context in (256, 4096)),
    *((prompt, 0, 0, 0) for prompt in (256, 1024, 2048)),
    (1024, 2048, 0, 0),
    (512, 0, 32, 1024),
    (2048, 0, 64, 1024),
)

_CHI = SLOPES.index("chi")
_TERMS = np.array(
    [
        # base, P, B, K, A of t1, q1, beta, chi, gamma, delta, t0, q0, u0, w0, v0
        [0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0],
        [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=np.float64,
)


def typical_batches(model: Tabulated) -> list[Batch]:
    """Batches that servers run, cut to the tables: decodes, prefills, chunks, and mixed ones."""
    seqs, context = (axis[-1] for axis in model.decode.axes)
    prompt, cached = (axis[-1] for axis in model.prefill.axes)

    def batch(tokens: float, past: float, decodes: float, each: float) -> Batch:
        p, n = min(tokens, prompt), min(decodes, seqs)
        return Batch(p, p * (min(past, cached) + p / 2), min(past, cached), n, n * min(each, context))

    return [batch(*sizes) for sizes in _TYPICAL]


def tightest_minorants(model: Tabulated) -> tuple[Minorant, ...]:
    """Return a few affine functions below the iteration time of `model`, those that typical batches need.

    One of them has a positive base, so that bounds know an iteration takes time: if need be the constant
    ``overhead_s + tokens + sequences`` at their first nodes, below which no iteration is, all parts being monotone.
    """
    conditions = Conditions.of(model)
    batches = typical_batches(model)
    features = np.array([[1.0, b.prompt_tokens, b.num_seqs, b.kv_tokens, b.chunk_attention] for b in batches])
    features /= np.array([[model.iteration_s(batch)] for batch in batches])
    weights = np.full((len(batches), len(batches)), _ELSEWHERE)
    np.fill_diagonal(weights, 1.0)
    attention = float(_slopes(conditions, features.sum(axis=0) @ _TERMS)[_CHI])
    found = [conditions.minorant(_slopes(conditions, gain, attention)) for gain in weights @ features @ _TERMS]
    lines = np.array([[m.base_s, m.prompt_token_s, m.sequence_s, m.kv_token_s, m.chunk_attention_s] for m in found])
    kept = tuple(found[k] for k in _needed(lines @ features.T, lines[:, 0]))
    least = model.overhead_s + model.tokens.values[0] + model.sequences.values[0]
    flat = () if max(m.base_s for m in kept) > 0 or least == 0 else (Minorant(least, 0.0, 0.0, 0.0),)
    return kept + flat


def _slopes(conditions: Conditions, gain: Floats, attention: float | None = None) -> Floats:
    """Slopes of the claim that maximise ``gain @ (slopes, constants)``, with ``chi = attention`` if given; shape (6,).

    All zero, which is valid but loose, if the solver does not get there.
    """
    from scipy.optimize import linprog

    tables = (conditions.tokens, conditions.sequences, conditions.prefill, conditions.decode, conditions.mixed)
    rows = [np.hstack([t.left, np.tile(np.eye(5)[k], (len(t.right), 1))]) for k, t in enumerate(tables)]
    rows.append(np.hstack([conditions.fullest.left, np.zeros((len(conditions.fullest.right), 5))]))
    right = np.concatenate([t.right for t in (*tables, conditions.fullest)])
    # w0 <= u0 + v0, and delta <= t1 + beta.
    rows.append(np.array([[0, 0, 0, 0, 0, 0, 0, 0, -1, 1, -1], [-1, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0]], dtype=np.float64))
    left = np.vstack(rows)
    right = np.append(right, [0.0, 0.0])
    # Units in which the numbers are of order 1: the largest time of a table per largest coefficient.
    time = max(float(right.max()), 1e-12)
    unit = time / np.maximum(np.abs(left).max(axis=0), 1e-300)
    scaled = left * unit
    size = np.maximum(np.abs(scaled).max(axis=1), 1e-12)
    free: list[tuple[float | None, float | None]] = [(None, None), (None, None), (0.0, None), (None, None), (None, 0.0)]
    limits = [*((0.0, most) for most in (conditions.most / unit[:6]).tolist()), *free]
    if attention is not None:
        limits[_CHI] = (attention / unit[_CHI], attention / unit[_CHI])
    exact = {"primal_feasibility_tolerance": 1e-10}
    found = linprog(
        -gain * unit, A_ub=scaled / size[:, None], b_ub=right / size, bounds=limits, method="highs", options=exact
    )
    return np.zeros(len(SLOPES)) if found.x is None else found.x[:6] * unit[:6]


def _needed(shares: Floats, bases: Floats) -> tuple[int, ...]:
    """Choose the few lines whose largest is largest in the mean; one more only if it adds `_GAIN`.

    One at least has a positive base, if any has: otherwise an iteration could take no time.

    Parameters
    ----------
    shares : ndarray of float64, shape (lines, batches)
        Each line's value as a share of the iteration time.
    bases : ndarray of float64, shape (lines,)
        Their values at nothing, seconds.
    """
    chosen: tuple[int, ...] = ()
    floor = np.nextafter(0.0, 1.0)
    reached = -np.inf
    for count in range(1, _MOST + 1):
        ways = [
            way for way in combinations(range(len(shares)), count) if max(bases[list(way)]) >= min(floor, bases.max())
        ]
        means = [float(np.maximum(shares[list(way)].max(axis=0), 0.0).mean()) for way in ways]
        if max(means) < reached + _GAIN:
            break
        reached = max(means)
        chosen = ways[means.index(reached)]
    return chosen
