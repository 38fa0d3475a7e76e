"""The epoch in flight on an instance: what runs, and how far it is at any time."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from orsched.engine.plan import Chunk
from orsched.service import Batch, PiecewiseLinear

if TYPE_CHECKING:
    from orsched.engine.cohort import Cohort

SNAP = 1e-9
"""Share of an epoch within which an arrival counts as happening at an iteration's end, whatever the rounding."""

CLOCK_SNAP = 2.0**-42
"""The same as a share of the time on the clock: a thousand roundings of it, that is 0.2 microseconds after 10^6 s."""

_FLAT = PiecewiseLinear((0.0,), (0.0,))


class Epoch:
    """A run of iterations of one composition: decode iterations in closed form, or one iteration with prompts.

    Attributes
    ----------
    in_flight : bool
        Whether it is going on.
    start_s, end_s : float
        When it began and ends; the end of the last one while none is going on. Seconds.
    steps : int
        Its iterations.
    chunks : tuple of Chunk
        Prompts of its only iteration; none in a decode epoch.
    cohorts : list of Cohort
        Who decodes.
    seqs, kv, longest : int
        Decoding requests, their KV tokens at the start, and the longest context if that matters.
    kv_timed : float
        KV tokens of equal contexts that take as long to read.
    prompt_tokens : int
        Prompt tokens of its only iteration.
    blocks, taken : int
        KV blocks that its decodes grow by, and how many of them have been taken from the cache of free ones.
    curve : PiecewiseLinear
        Time of a decode iteration by KV tokens.
    mixed : Batch
        What its only iteration works on.
    """

    __slots__ = (
        "blocks",
        "chunks",
        "cohorts",
        "curve",
        "end_s",
        "in_flight",
        "kv",
        "kv_timed",
        "longest",
        "mixed",
        "prompt_tokens",
        "seqs",
        "start_s",
        "steps",
        "taken",
    )

    def __init__(self) -> None:
        self.in_flight = False
        self.start_s = self.end_s = 0.0
        self.steps = 0
        self.chunks: tuple[Chunk, ...] = ()
        self.cohorts: list[Cohort] = []
        self.seqs = self.kv = self.longest = self.prompt_tokens = 0
        self.kv_timed: float = 0
        self.blocks = self.taken = 0
        self.curve = _FLAT
        self.mixed = Batch()

    def compose(self, cohorts: list[Cohort], chunks: tuple[Chunk, ...], now_s: float) -> None:
        """Let these run from `now_s` on."""
        self.start_s = self.end_s = now_s
        self.cohorts = cohorts
        self.chunks = chunks
        seqs = kv = 0
        for cohort in cohorts:
            seqs += len(cohort.base)
            kv += cohort.kv_tokens
        self.seqs = seqs
        self.kv = self.kv_timed = kv
        self.in_flight = True

    def rank(self, skews: tuple[float, ...]) -> None:
        """Find the longest context, and the KV tokens that equal contexts would have to read to take as long."""
        self.longest = longest = max((cohort.longest_kv_tokens() for cohort in self.cohorts), default=0)
        self.kv_timed = self.kv + skews[self.seqs] * (self.seqs * longest - self.kv)

    def need(self, steps: int) -> int:
        """New KV blocks that `steps` iterations take."""
        cohorts = self.cohorts
        if len(cohorts) == 1:
            return cohorts[0].blocks_needed(steps)
        return sum(cohort.blocks_needed(steps) for cohort in cohorts)

    def most_steps(self, steps: int, blocks: int) -> int:
        """Most iterations below `steps` whose KV growth is at most `blocks`."""
        return bisect_right(range(1, steps), blocks, key=self.need)

    def decode(self, curve: PiecewiseLinear, steps: int, blocks: int) -> None:
        """Let it be `steps` decode iterations, which last as `curve` says and grow by `blocks` blocks."""
        self.curve = curve
        self.steps = steps
        self.blocks = blocks
        self.taken = 0
        self.end_s = self.start_s + curve.total(self.kv_timed, self.seqs, steps)

    def cut(self, steps: int, total_s: float) -> int:
        """End it after its first `steps` iterations, which take `total_s` seconds; returns the blocks given back."""
        blocks = self.need(steps)
        spared = self.blocks - blocks
        self.steps, self.blocks = steps, blocks
        self.end_s = self.start_s + total_s
        return spared

    def until(self, time_s: float) -> tuple[int, float]:
        """Iterations up to the end of the one running at `time_s`, or ending then, and the seconds they take."""
        elapsed_s = time_s * (1 - CLOCK_SNAP) - self.start_s
        return self.curve.count_to_reach(self.kv_timed, self.seqs, self.steps, elapsed_s, SNAP)

    def slack_s(self, now_s: float) -> float:
        """How far from `now_s` something may happen during it and still count as happening then, seconds."""
        return SNAP * (self.end_s - self.start_s) + CLOCK_SNAP * now_s

    def steps_before(self, now_s: float) -> int:
        """Decode iterations that have ended before `now_s`; one that ends at `now_s` comes after."""
        return self.until(now_s)[0] - 1 if self.in_flight and self.steps > 1 else 0

    def iterations_before(self, now_s: float, cohort: Cohort) -> int:
        """Iterations that `cohort` has advanced before `now_s`."""
        return self.steps_before(now_s) if cohort in self.cohorts else 0

    def iterations_by(self, now_s: float, cohort: Cohort) -> int:
        """The same with those that end at `now_s`: for whoever asks at the end of an iteration elsewhere.

        Which of two iterations that end together the calendar takes first then does not matter.
        """
        if not self.in_flight or cohort not in self.cohorts:
            return 0
        slack_s = self.slack_s(now_s)
        return self.steps if self.end_s <= now_s + slack_s else self.steps_before(now_s + 2 * slack_s)

    def tokens_before(self, now_s: float) -> int:
        """KV tokens it has appended before `now_s`."""
        return self.steps_before(now_s) * self.seqs

    def blocks_due_before(self, now_s: float) -> int:
        """Blocks that the iterations ended before `now_s` have grown by and not taken yet."""
        if not self.in_flight or self.chunks:
            return 0
        return self.need(self.steps_before(now_s)) - self.taken

    def blocks_ahead(self, now_s: float) -> int:
        """Blocks promised to iterations that have not begun at `now_s`."""
        if not self.in_flight or self.chunks:
            return 0
        return self.blocks - self.need(self.until(now_s)[0])

    def iteration_end_s(self, now_s: float) -> float:
        """When the iteration in flight at `now_s` ends; `now_s` if there is none."""
        if not self.in_flight:
            return now_s
        return self.end_s if self.steps == 1 else self.start_s + self.until(now_s)[1]

    @property
    def prompt_in_flight(self) -> int:
        """Prompt tokens that the iteration in flight processes."""
        return self.prompt_tokens if self.in_flight and self.chunks else 0
