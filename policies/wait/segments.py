"""Segments of Nested WAIT: cut points and thresholds, with the quantities the paper's conditions speak of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from orsched.checks import check_is, check_number, check_whole, check_wholes, require_number
from orsched.errors import InputError
from orsched.service import Batch, ServiceModel
from policies.wait.drift import OverflowRisk, theta_root


@dataclass(frozen=True, slots=True)
class NestedSegments:
    """Cut points, thresholds and survival of Nested WAIT (arXiv 2504.11320, journal revision; ``L`` merged segments).

    Segment 1 is the prefill and decode steps ``1 .. r_1``, segment k the decode steps ``r_{k-1} + 1 .. r_k``. A decode
    step is one iteration after the prefill; a prompt of ``o`` output tokens takes ``l' = o - 1`` of them.

    Parameters
    ----------
    cuts : tuple of int
        ``r_1 < ... < r_L``, decode steps. ``r_L`` is the longest ``l'``.
    thresholds : tuple of int
        ``n_1 .. n_L``: most prompts in a stage of segment k, and how many its entry needs to be served.
    survival : tuple of float
        ``p_2 .. p_L``: share of those that enter segment k - 1 that goes on to segment k.
    prompt_tokens : tuple of float
        ``lbar_1 .. lbar_L``: prompt length of those that reach segment k, the longest or the mean one.
    stage_iterations : int
        ``g``, iterations a stage lasts (ours). 1 is the paper; otherwise every ``r_k + 1`` is a multiple of it.
    prompt_attention : float, optional
        Mean ``l^2 / 2`` of a prompt; None: that of ``lbar_1``.
    occupancy : tuple of float, optional
        Mean share of the places in the stages of segment k that are taken when ``n_k`` prompts enter at every
        firing (ours). None: all of them, as in the paper, a bound also where prompts end within a segment.

    Raises
    ------
    InputError
        When a field is not so.
    """

    cuts: tuple[int, ...]
    thresholds: tuple[int, ...]
    survival: tuple[float, ...]
    prompt_tokens: tuple[float, ...]
    stage_iterations: int = 1
    prompt_attention: float | None = None
    occupancy: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_wholes(self, "cuts", least=0)
        check_wholes(self, "thresholds")
        check_whole(self, "stage_iterations")
        for name in ("survival", "prompt_tokens"):
            check_is(self, name, tuple)
        cuts, g = self.cuts, self.stage_iterations
        sizes = (len(cuts), len(self.thresholds), len(self.survival) + 1, len(self.prompt_tokens))
        if len(set(sizes)) > 1:
            raise InputError(
                f"NestedSegments: {sizes[0]} cuts, {sizes[1]} thresholds, {sizes[2] - 1} survival shares and "
                f"{sizes[3]} prompt lengths: L segments need L, L, L - 1 and L of them"
            )
        if any(b <= a for a, b in pairwise(cuts)):
            raise InputError(f"NestedSegments.cuts = {cuts}: must increase strictly")
        for k, share in enumerate(self.survival, 2):
            require_number(f"NestedSegments.survival, p_{k}", share, above=True, most=1)
        if self.occupancy is not None:
            check_is(self, "occupancy", tuple)
            if len(self.occupancy) != len(cuts):
                raise InputError(f"NestedSegments.occupancy = {self.occupancy}: must be {len(cuts)} shares")
            for k, share in enumerate(self.occupancy, 1):
                require_number(f"NestedSegments.occupancy of segment {k}", share, above=True, most=1)
        for k, tokens in enumerate(self.prompt_tokens, 1):
            require_number(f"NestedSegments.prompt_tokens of segment {k}", tokens, above=True)
        if self.prompt_attention is not None:
            check_number(self, "prompt_attention")
        if any((r + 1) % g for r in cuts):
            raise InputError(f"NestedSegments.stage_iterations = {g} with cuts {cuts}: must divide every cut + 1")

    @property
    def widths(self) -> tuple[int, ...]:
        """``delta_k``: iterations a prompt spends in segment k; the first includes the prefill."""
        return tuple(b - a for a, b in pairwise((-1, *self.cuts)))

    @property
    def stages(self) -> tuple[int, ...]:
        """Stages of each segment, ``delta_k / g``."""
        return tuple(width // self.stage_iterations for width in self.widths)

    @property
    def mean_progress(self) -> tuple[float, ...]:
        """``sbar_k``: decode tokens cached at the end of a stage, mean over the stages of segment k."""
        return tuple((a + self.stage_iterations + b) / 2 for a, b in pairwise((-1, *self.cuts)))

    @property
    def places(self) -> tuple[float, ...]:
        """Requests in each segment with every stage full (as full as `occupancy` says)."""
        full = [n * stages for n, stages in zip(self.thresholds, self.stages, strict=True)]
        if self.occupancy is None:
            return tuple(map(float, full))
        return tuple(count * share for count, share in zip(full, self.occupancy, strict=True))

    @property
    def seats(self) -> int:
        """Requests in the batch with every stage full."""
        return math.ceil(sum(self.places) - 1e-9)

    @property
    def memory_tokens(self) -> float:
        """``M^pi = sum_k n_k (lbar_k + sbar_k) delta_k``: KV tokens held with every stage full."""
        return self._stage_total(0.0)

    def cycle_s(self, service: ServiceModel) -> float:
        """``Delta^pi``, seconds: one stage with every stage full; ``d0 + d1 M^pi`` for `Affine.wait` and ``g = 1``."""
        n, prompt, g, seats = self.thresholds[0], self.prompt_tokens[0], self.stage_iterations, self.seats
        attention = prompt * prompt / 2 if self.prompt_attention is None else self.prompt_attention
        cached = self._stage_total(-g) - n * (prompt - 1)
        first = service.iteration_s(Batch(n * prompt, n * attention, 0, seats - n, cached))
        if g == 1:
            return first
        return first + service.decode_curve(seats).total(self._stage_total(1 - g), seats, g - 1)

    @property
    def theta(self) -> tuple[float | None, ...]:
        """``theta_2 .. theta_L``; None where ``n_k >= n_{k-1}`` bounds the boundary queue whatever happens.

        Raises
        ------
        InputError
            When a ratio ``n_k / n_{k-1}`` does not exceed ``p_k``: the boundary queue then has no drift downwards.
        """
        return tuple(
            None if n >= before else theta_root(before, n, p)
            for (before, n), p in zip(pairwise(self.thresholds), self.survival, strict=True)
        )

    @property
    def boundary_tokens(self) -> tuple[float, ...]:
        """KV tokens of a prompt that waits at the entry of segments 2 .. L, ``lbar_k + r_{k-1}``."""
        return tuple(tokens + cut for tokens, cut in zip(self.prompt_tokens[1:], self.cuts[:-1], strict=True))

    @property
    def threshold_buffer_tokens(self) -> float:
        """``sum_{k >= 2} (lbar_k + r_{k-1}) n_k``: KV tokens of boundary queues as long as their thresholds."""
        return sum(tokens * n for tokens, n in zip(self.boundary_tokens, self.thresholds[1:], strict=True))

    def fluctuation_buffer_tokens(self, risk: OverflowRisk) -> float:
        """``sum_{k >= 2} (lbar_k + r_{k-1}) ln(L (1 + zeta T / d0) / delta) / theta_k``, KV tokens.

        Segments with ``n_k >= n_{k-1}`` need none. The paper writes m, the number of types, for L; its union bound
        runs over the boundary queues, of which merged segments have L - 1 (ours; the same for L = m).
        """
        return risk.log(len(self.cuts)) * sum(
            tokens / theta for tokens, theta in zip(self.boundary_tokens, self.theta, strict=True) if theta is not None
        )

    def required_tokens(self, risk: OverflowRisk) -> float:
        """Memory requirement: ``M^pi`` and both buffers of the boundary queues, KV tokens."""
        return self.memory_tokens + self.threshold_buffer_tokens + self.fluctuation_buffer_tokens(risk)

    def _stage_total(self, extra: float) -> float:
        """Sum of ``lbar_k + sbar_k + extra`` over all places."""
        return sum(
            count * (tokens + progress + extra)
            for count, tokens, progress in zip(self.places, self.prompt_tokens, self.mean_progress, strict=True)
        )
