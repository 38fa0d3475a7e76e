"""alpha-protection (a baseline of arXiv 2502.07115): keep a share of memory free at admission, clear on overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_has, check_number, check_whole, require_number
from orsched.engine.plan import DECODE_ALL, DECODE_UNDISTURBED, Chunk, Plan
from orsched.policy import Policy
from policies.recipe import fixed

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


def clear_all(view: InstanceView) -> frozenset[int]:
    """Every active request."""
    return frozenset(view.running)


@dataclass(frozen=True, slots=True)
class ClearEach:
    """Active requests drawn independently, again among those left until the next decode iteration fits.

    Drawing ends when that fits, or nobody is left; nothing is drawn when no memory is short. A round that draws nobody
    changes nothing, so only rounds that draw somebody are made, by their law given that they do: there are no more of
    them than requests, whatever the probability.

    Parameters
    ----------
    probability : float
        phi, of each request in each round of draws; above 0, at most 1.
    """

    probability: float = 0.2

    def __post_init__(self) -> None:
        require_number("phi", self.probability, above=True, most=1)

    def __call__(self, view: InstanceView) -> frozenset[int]:
        """Draw who is cleared."""
        left, cleared = list(view.running), set[int]()
        free, need = view.free_blocks, view.growth_blocks()
        while need > free and left:
            drawn = [left[i] for i in self.draw(len(left), view.rng)]
            free += sum(map(view.held_blocks, drawn))
            need -= sum(map(view.needs_block, drawn))
            cleared.update(drawn)
            left = [r for r in left if r not in cleared]
        return frozenset(cleared)

    def draw(self, count: int, rng: np.random.Generator) -> list[int]:
        """Places of those drawn from `count` >= 1 requests, each with the probability, given that somebody is drawn.

        The first that is drawn is at place i with a probability in proportion to ``(1 - phi)^i``; each behind it is
        drawn or not.
        """
        until = np.cumsum((1 - self.probability) ** np.arange(count))
        first = int(np.searchsorted(until, rng.random() * until[-1], side="right"))
        behind = np.flatnonzero(rng.random(count - first - 1) < self.probability)
        return [first, *(first + 1 + behind).tolist()]


@dataclass(frozen=True, slots=True)
class AlphaProtection:
    """First come first served, whole prompts, while a share of the memory stays free; clear when memory overflows.

    A request is admitted when, after the iteration that processes its prompt, at least ``alpha M`` is free. When the
    next decode iteration does not fit, active requests are cleared: they go back to the head of the queue and
    recompute. Clearing takes no time: the same iteration admits anew.

    Parameters
    ----------
    alpha : float
        Share of the KV blocks an admission leaves free; from 0, below 1.
    clear : callable
        ``clear(view)``: the active requests to clear on overflow, enough for the next decode iteration to fit.
    max_num_seqs : int
        Most running requests.

    Notes
    -----
    An instance without active requests admits the head of the queue if it fits at all (ours), or a long prompt would
    wait forever. Every iteration makes an output token for each decode and each prompt in it, and tokens stay
    emitted when a request is cleared; so a run takes at most as many iterations as there are output tokens.
    """

    alpha: float
    clear: Callable[[InstanceView], frozenset[int]] = clear_all
    max_num_seqs: int = 256

    def __post_init__(self) -> None:
        check_number(self, "alpha", most=1, below=True)
        check_has(self, "clear", "a function of the view", "__call__")
        check_whole(self, "max_num_seqs")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one step."""
        cleared = self.clear(view) if view.growth_blocks() > view.free_blocks else frozenset()
        if not cleared and not view.waiting:
            return DECODE_ALL
        chunks = tuple(self._admitted(view, cleared))
        preempt = tuple(request for request in view.latest_first() if request in cleared)
        if chunks or preempt:
            return Plan(chunks, preempt=preempt, max_steps=1)
        return DECODE_UNDISTURBED

    def _admitted(self, view: InstanceView, cleared: frozenset[int]) -> Iterator[Chunk]:
        """Whom the next iteration admits once `cleared` are back at the head of the queue."""
        running = view.num_running - len(cleared)
        limit = min(self.max_num_seqs, view.max_num_seqs)
        free = view.free_blocks - view.growth_blocks()
        free += sum(view.held_blocks(r) + view.needs_block(r) for r in cleared)
        kept_free = self.alpha * view.capacity_blocks
        for request in chain((r for r in view.running if r in cleared), view.waiting):
            tokens = view.input_tokens(request) + view.emitted_tokens(request)
            free -= view.blocks_for(tokens)
            if running >= limit or free < 0 or (free < kept_free and running):
                return
            yield Chunk(request, tokens)
            running += 1


def alpha_protection(alpha: float = 0.25, max_num_seqs: int = 256) -> Policy:
    """alpha-protection greedy: on overflow all active requests are cleared.

    Notes
    -----
    The name and the values of alpha in the paper's experiments (0.3, 0.25, 0.2, 0.1; of these the first two suffice at
    both of its loads) are known to us at second hand. The rule is our understanding of the name.
    """
    return Policy("alpha-protection", AlphaProtection(alpha, max_num_seqs=max_num_seqs), settings={"alpha": alpha})


def alpha_clearing(alpha: float = 0.25, phi: float = 0.2, max_num_seqs: int = 256) -> Policy:
    """alpha-protection with phi-clearing: on overflow each active request is cleared with probability phi.

    Notes
    -----
    As `alpha_protection`; the paper's phi is 0.2 or 0.1. That draws are repeated until the iteration fits is ours.
    """
    return Policy(
        "alpha-clearing",
        AlphaProtection(alpha, ClearEach(phi), max_num_seqs),
        settings={"alpha": alpha, "phi": phi},
    )


RECIPES = (
    fixed(alpha_protection, "alpha-protection: first come first served, 25% of memory kept free, overflow clears all"),
    fixed(
        alpha_clearing, "alpha-protection, phi-clearing: the same, overflow clears each request with probability 0.2"
    ),
)
