"""A fleet experiment summed up: means with 95% intervals, differences on the same paths, distance to the bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from experiments.fleet.fault_effects import FaultEffects, together
from experiments.fleet.run import FleetResults
from experiments.fleet.searching import Bracket
from experiments.fleet.spec import Contender, FleetExperiment
from experiments.fleet.task import PathResult, Served
from orsched.statistics.estimate import Estimate, estimate, paired_difference

if TYPE_CHECKING:
    import pandas as pd

Estimates = Mapping[str, Estimate]
Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One policy over all paths.

    Parameters
    ----------
    contender : Contender
        Which.
    metrics : mapping of str to Estimate
        Of the whole, by the names of `experiments.fleet.outcome.UNITS`, and ``sustained_per_s`` if it was searched and
        found within the range of the search on every path.
    tiers : mapping of str to mapping of str to Estimate
        Of each tier.
    differences : mapping of str to Estimate
        This policy less the first one, path by path; empty for the first.
    over_bound : Estimate, optional
        Goodput over the bound of the same path.
    sustained_over_bound : Estimate, optional
        Largest sustained rate over its bound, for the lengths of the same path.
    sustained : Bracket, optional
        Around the mean of the largest sustained rates, if they were searched: means of the ends. Open where a search
        was cut off on some path.
    """

    contender: Contender
    metrics: Estimates
    tiers: Mapping[str, Estimates]
    differences: Estimates = field(default_factory=dict)
    over_bound: Estimate | None = None
    sustained_over_bound: Estimate | None = None
    sustained: Bracket | None = None


@dataclass(frozen=True, slots=True)
class FleetSummary:
    """All policies over all paths.

    Parameters
    ----------
    experiment : FleetExperiment
        What was run.
    rows : tuple of FleetRow
        In the order of the experiment.
    rate_per_s : Estimate
        Requests per second of the arrivals' span.
    faults : Estimate
        Listed and drawn ones of a path, whether or not a run lasts until they happen.
    effects : FaultEffects
        What became of the listed ones, under all policies on all paths.
    bound : Estimate, optional
        The bound on goodput, requests per second of the arrivals' span; None when a path has none.
    bound_notice : str
        Why there is none, where there could be one.
    bound_name : str
        Which bound.
    bound_certified : bool
        Whether it was re-computed exactly on every path.
    sustained_bound : Estimate, optional
        The bound on the largest sustained rate, requests per second.
    wall_s : float
        Seconds for all of it.
    """

    experiment: FleetExperiment
    rows: tuple[FleetRow, ...]
    rate_per_s: Estimate
    faults: Estimate
    effects: FaultEffects
    bound: Estimate | None
    bound_notice: str
    bound_name: str
    bound_certified: bool
    sustained_bound: Estimate | None
    wall_s: float

    def frame(self) -> pd.DataFrame:
        """One row per policy, tier and metric; see `experiments.fleet.tables.tidy_frame`."""
        from experiments.fleet.tables import tidy_frame

        return tidy_frame(self).astype({"mean": "float64", "half_width": "float64"})

    def _repr_html_(self) -> str:
        from experiments.fleet.tables import notes, tables
        from orsched.html_table import html_table

        *above, last = tables(self)
        texts = [html_table(table.title, table.headers, table.rows) for table in above]
        return "".join([*texts, html_table(last.title, last.headers, last.rows, notes(self))])


def summarise(results: FleetResults) -> FleetSummary:
    """Estimate everything over the paths; a quantity that one of them lacks is left out."""
    paths = results.paths
    bounds = [path.limit.bound for path in paths if path.limit.bound is not None]
    most_per_s = [most for path in paths if (most := _most_good_per_s(path)) is not None]
    sustained = [path.sustained_bound_per_s for path in paths if path.sustained_bound_per_s is not None]
    contenders = results.experiment.contenders
    rows = [_row(contender, paths, contenders[0]) for contender in contenders]
    return FleetSummary(
        experiment=results.experiment,
        rows=tuple(rows),
        rate_per_s=estimate([path.rate_per_s for path in paths]),
        faults=estimate([path.faults for path in paths]),
        effects=together(path.effects for path in paths),
        bound=estimate(most_per_s) if len(most_per_s) == len(paths) else None,
        bound_notice=next((path.limit.notice for path in paths if path.limit.notice), ""),
        bound_name=bounds[0].name if bounds else "",
        bound_certified=bool(bounds) and all(bound.certified for bound in bounds),
        sustained_bound=estimate(sustained) if len(sustained) == len(paths) else None,
        wall_s=results.wall_s,
    )


def _row(contender: Contender, paths: Sequence[PathResult], first: Contender) -> FleetRow:
    mine = [path.served[contender.label] for path in paths]
    numbers = [_numbers(served) for served in mine]
    differences: Estimates = {}
    if contender is not first:
        theirs = [_numbers(path.served[first.label]) for path in paths]
        differences = {
            name: paired_difference([one[name] for one in numbers], [one[name] for one in theirs])
            for name in _common([*numbers, *theirs])
        }
    names = _common([served.judged.tiers for served in mine])
    return FleetRow(
        contender=contender,
        metrics=_estimates(numbers),
        tiers={name: _estimates([served.judged.tiers[name] for served in mine]) for name in names},
        differences=differences,
        over_bound=_ratio(paths, _most_good_per_s, numbers, "goodput_per_s"),
        sustained_over_bound=_ratio(paths, lambda path: path.sustained_bound_per_s, numbers, "sustained_per_s"),
        sustained=_mean_bracket([served.sustained_per_s for served in mine]),
    )


def _most_good_per_s(path: PathResult) -> float | None:
    """Bound on goodput on a path."""
    most = path.limit.most_good
    return None if most is None else most / path.span_s


def _mean_bracket(found: Sequence[Bracket | None]) -> Bracket | None:
    """Around the mean of what is in each of the brackets."""
    brackets = [bracket for bracket in found if bracket is not None]
    if not brackets:
        return None
    return Bracket(fmean(bracket.low for bracket in brackets), fmean(bracket.high for bracket in brackets))


def _numbers(served: Served) -> Numbers:
    """All numbers of the whole; a rate is sustained if one that is not was found too."""
    if (rate := served.sustained_per_s) is None or not rate.closed:
        return served.judged.metrics
    return {**served.judged.metrics, "sustained_per_s": rate.low}


def _ratio(
    paths: Sequence[PathResult], bound: Callable[[PathResult], float | None], numbers: Sequence[Numbers], name: str
) -> Estimate | None:
    """Mean over paths of a number over the bound of its path; None when a path has none."""
    pairs = [(one.get(name), bound(path)) for one, path in zip(numbers, paths, strict=True)]
    shares = [value / limit for value, limit in pairs if value is not None and limit]
    return estimate(shares) if len(shares) == len(paths) else None


def _common(columns: Sequence[Mapping[str, object]]) -> list[str]:
    return [name for name in columns[0] if all(name in column for column in columns)]


def _estimates(observations: Sequence[Numbers]) -> dict[str, Estimate]:
    return {name: estimate([one[name] for one in observations]) for name in _common(observations)}
