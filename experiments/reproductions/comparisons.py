"""Published comparisons as data: gains, orders, growth with the number of requests."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from experiments.reproductions.cell import Cell
from experiments.reproductions.published import Judged, Mark, obstacle_to
from experiments.reproductions.study import Study
from experiments.reproductions.verdict import judge_gain, judge_growth, judge_order, not_comparable
from orsched.gap_table import percent
from orsched.statistics.estimate import Estimate, estimate, paired_difference


@dataclass(frozen=True, slots=True)
class PublishedGain:
    """By which fraction one policy's mean latency is below another's; `low` and `high` differ for a range.

    Other parameters are those of `PublishedMean`.
    """

    group: str
    what: str
    mark: Mark
    sweep: str
    family: str
    over: str
    rate_per_s: float
    low: float
    high: float
    requests: int | None = None
    caveat: str = ""

    def judged(self, study: Study) -> Judged:
        """Compare it with the study."""
        text = f"{self.low:.1%}" if self.low == self.high else f"{self.low:.1%} to {self.high:.1%}"
        cells = [study.cell(self.sweep, self.rate_per_s, name, self.requests) for name in (self.family, self.over)]
        obstacle = next(filter(None, (obstacle_to(cell, self.requests, self.caveat) for cell in cells)), "")
        present = [cell for cell in cells if cell is not None and cell.rows]
        if len(present) < 2:
            return Judged(self.what, text, self.mark, "", not_comparable(obstacle))
        gain = relative_gain(*present)
        verdict = not_comparable(obstacle) if obstacle else judge_gain(self.low, self.high, gain)
        return Judged(self.what, text, self.mark, f"{percent(gain)}%", verdict)


@dataclass(frozen=True, slots=True)
class PublishedOrder:
    """Policies by mean latency at one rate, the lowest first; other parameters are those of `PublishedMean`."""

    group: str
    what: str
    mark: Mark
    sweep: str
    families: tuple[str, ...]
    rate_per_s: float

    def judged(self, study: Study) -> Judged:
        """Compare it with the study: an order is comparable even where means grow with the number of requests."""
        text = " < ".join(self.families)
        cells = [study.cell(self.sweep, self.rate_per_s, family) for family in self.families]
        present = [cell for cell in cells if cell is not None and cell.rows]
        if len(present) < len(cells):
            return Judged(self.what, text, self.mark, "", not_comparable("not every policy was run"))
        columns = {f"{low.family} and {high.family}": (low, high) for low, high in pairwise(present)}
        differences = {
            pair: paired_difference(high.column("latency_mean_s"), low.column("latency_mean_s"))
            for pair, (low, high) in columns.items()
        }
        ranked = " < ".join(cell.family for cell in sorted(present, key=lambda cell: cell.estimate().mean))
        return Judged(self.what, text, self.mark, ranked, judge_order(differences))


@dataclass(frozen=True, slots=True)
class PublishedGrowth:
    """Whether a policy's mean latency grows from `requests` to `more_requests` on the same paths or levels off.

    It grows when the 95% interval of the paired difference lies above zero. Other parameters are those of
    `PublishedMean`.
    """

    group: str
    what: str
    mark: Mark
    sweep: str
    family: str
    rate_per_s: float
    grows: bool
    requests: int
    more_requests: int

    def judged(self, study: Study) -> Judged:
        """Compare it with the study."""
        text = "grows" if self.grows else "levels off"
        short = study.cell(self.sweep, self.rate_per_s, self.family, self.requests)
        long = study.cell(self.sweep, self.rate_per_s, self.family, self.more_requests)
        if short is None or long is None or not short.rows or not long.rows:
            return Judged(self.what, text, self.mark, "", not_comparable("not run here"))
        growth = paired_difference(long.column("latency_mean_s"), short.column("latency_mean_s"))
        return Judged(self.what, text, self.mark, f"{growth} s", judge_growth(self.grows, growth))


def relative_gain(better: Cell, other: Cell) -> Estimate:
    """By which fraction the mean latency of `better` is below that of `other`, paired by replication."""
    pairs = zip(better.column("latency_mean_s"), other.column("latency_mean_s"), strict=True)
    return estimate([1 - low / high for low, high in pairs])
