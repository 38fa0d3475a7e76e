"""Published numbers as data: where they stand, how sure we are of them, and what of ours they compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from experiments.reproductions.cell import Cell
from experiments.reproductions.study import Study
from experiments.reproductions.verdict import Verdict, judge_constant, judge_mean, not_comparable
from orsched.statistics.estimate import Estimate


class Mark(StrEnum):
    """How a number reached us."""

    PAPER = "paper"
    CODE = "code"
    """Read in the authors' public repository: result files or progress notes."""
    REPORTED = "reported"
    """As third parties report it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A published number beside ours."""

    what: str
    published: str
    mark: Mark
    ours: str
    verdict: Verdict


class PublishedItem(Protocol):
    """Anything a paper reports that can be held against a study."""

    @property
    def group(self) -> str:
        """Heading under which it is listed."""
        ...

    def judged(self, study: Study) -> Judged:
        """Compare it with the study."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedMean:
    """A mean latency of one policy at one rate.

    Parameters
    ----------
    group, what : str
        Heading, and the quantity in words.
    mark : Mark
        How the number reached us.
    sweep, family : str
        Our cell: the sweep and the policy that it compares with.
    rate_per_s : float
        Arrival rate, requests per second.
    value, sd : float, float or None
        Mean, and standard deviation over the published replications, if given.
    requests : int, optional
        Requests per run, if the source says so.
    caveat : str
        Why it is no target; empty if it is one.
    metric : str
        Of `experiments.reproductions.sampling.Row`.
    """

    group: str
    what: str
    mark: Mark
    sweep: str
    family: str
    rate_per_s: float
    value: float
    sd: float | None = None
    requests: int | None = None
    caveat: str = ""
    metric: str = "latency_mean_s"

    def judged(self, study: Study) -> Judged:
        """Compare it with the study."""
        text = f"{self.value:g}" if self.sd is None else f"{self.value:g} (sd {self.sd:g})"
        cell = study.cell(self.sweep, self.rate_per_s, self.family, self.requests)
        obstacle = obstacle_to(cell, self.requests, self.caveat)
        ours = None if cell is None or not cell.rows else cell.estimate(self.metric)
        if ours is None or obstacle:
            return Judged(self.what, text, self.mark, shown(cell, ours), not_comparable(obstacle))
        return Judged(self.what, text, self.mark, shown(cell, ours), judge_mean(self.value, self.sd, ours))


@dataclass(frozen=True, slots=True)
class PublishedConstant:
    """A number that is computed, not simulated.

    Parameters
    ----------
    group, what : str
        Heading, and the quantity in words with its unit.
    mark : Mark
        How it reached us.
    value : float
        As published.
    tolerance : float
        Relative error that its own rounding, or that of the constants it rests on, allows.
    ours : callable
        Computes it.
    """

    group: str
    what: str
    mark: Mark
    value: float
    tolerance: float
    ours: Callable[[], float]

    def judged(self, study: Study) -> Judged:
        """Compare it with what the software computes."""
        ours = self.ours()
        verdict = judge_constant(self.value, self.tolerance, ours)
        return Judged(self.what, f"{self.value:,g}", self.mark, f"{ours:,.6g}", verdict)


@dataclass(frozen=True, slots=True)
class PublishedOnly:
    """A number or figure that nothing here compares with, and why."""

    group: str
    what: str
    mark: Mark
    published: str
    caveat: str

    def judged(self, study: Study) -> Judged:
        """Say why it is not compared."""
        return Judged(self.what, self.published, self.mark, "", not_comparable(self.caveat))


def obstacle_to(cell: Cell | None, requests: int | None, caveat: str) -> str:
    """Why a number must not be compared with a cell; empty when it may."""
    if caveat:
        return caveat
    if cell is None:
        return "not run here"
    if not cell.rows:
        return f"{cell.family} has no setting within the caps: {cell.found['reason']}"
    if requests is not None:
        return ""
    if cell.load >= 1:
        return f"load {cell.load:.2f} here: the mean grows with the number of requests, which is not published"
    if not cell.stable:
        return f"{cell.family} does not keep up here: its mean grows with the number of requests, not published"
    return ""


def shown(cell: Cell | None, ours: Estimate | None) -> str:
    """An estimate with a word of warning where the policy did not keep up."""
    if cell is None or ours is None:
        return ""
    return f"{ours}" if cell.stable else f"{ours} (unstable)"
