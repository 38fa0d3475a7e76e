"""Finished cells of the ARES experiments, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.reproductions.ares.setting import BASE, LEVEL, Sweep
from experiments.reproductions.ares.tasks import AresTask, ErrorTask, Row
from experiments.reproductions.goodput import goodput
from experiments.reproductions.plan import Cells
from orsched.statistics.estimate import Estimate, estimate


@dataclass(frozen=True)
class Results:
    """Cells by sweep, load and family.

    Parameters
    ----------
    sweeps : tuple of Sweep
        What was run.
    errors : ErrorTask
        The task of the predictors' errors.
    seed : int
        Of every random stream.
    found : mapping
        Cells by identity.
    """

    sweeps: tuple[Sweep, ...]
    errors: ErrorTask
    seed: int
    found: Cells

    def rows(self, sweep: Sweep, load: float, family: str) -> Sequence[Row]:
        """By replication."""
        rows: Sequence[Row] = self.found[AresTask(sweep, load, family, self.seed).identity]["rows"]
        return rows

    def column(self, sweep: Sweep, load: float, family: str, metric: str) -> list[float]:
        """One number per replication."""
        return [row[metric] for row in self.rows(sweep, load, family)]  # type: ignore[literal-required]

    def estimate(self, sweep: Sweep, load: float, family: str, metric: str) -> Estimate:
        """Mean and 95% interval."""
        return estimate(self.column(sweep, load, family, metric))

    def change(self, sweep: Sweep, load: float, family: str, metric: str = "tpot_p99_s") -> Estimate:
        """By which fraction a metric is above that of no rescheduling, paired by path."""
        pairs = zip(self.column(sweep, load, family, metric), self.column(sweep, load, BASE, metric), strict=True)
        return estimate([value / base - 1 for value, base in pairs])

    def goodputs(self, sweep: Sweep, family: str) -> list[float]:
        """`goodput` of each path, requests per second."""
        columns = [self.column(sweep, load, family, "attainment") for load in sweep.loads]
        rates = [sweep.rate_per_s(load) for load in sweep.loads]
        return [goodput(rates, path, LEVEL) for path in zip(*columns, strict=True)]

    def goodput_ratio(self, sweep: Sweep, family: str) -> Estimate | None:
        """Goodput over that without rescheduling, paired by path; None when that is 0 on some path."""
        base = self.goodputs(sweep, BASE)
        if not all(base):
            return None
        return estimate([ours / other for ours, other in zip(self.goodputs(sweep, family), base, strict=True)])

    def reaches_limit(self, sweep: Sweep) -> bool:
        """Whether some path misses the level without rescheduling: otherwise no rate tried tells goodputs apart."""
        return min(self.goodputs(sweep, BASE)) < sweep.rate_per_s(sweep.loads[-1])

    def error(self, predictor: str) -> list[float]:
        """Mean absolute error by replication, tokens."""
        errors: list[float] = self.found[self.errors.identity][predictor]
        return errors

    def error_change(self, predictor: str) -> Estimate:
        """By which fraction a predictor's error is above that of the one that sees the prompt only."""
        pairs = zip(self.error(predictor), self.error("static"), strict=True)
        return estimate([ours / other - 1 for ours, other in pairs])
