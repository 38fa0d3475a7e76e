"""What the report knows of one workload on one fleet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from orsched.gap_matrix import GapMatrix
from orsched.gap_table import GAP_METRIC, GapRow, GapTable

if TYPE_CHECKING:
    import pandas as pd

AXES = {"load": "load (1 = edge of capacity)", "rate_per_s": "arrival rate (requests/s)", "scale": "scale"}
"""What the columns of an experiment can be, as axis titles."""


@dataclass(frozen=True, eq=False)
class Setting:
    """Results of one workload on one fleet; a *series* is a policy, with its predictor where there are several.

    Parameters
    ----------
    name : str
        For anchors and file names: letters, digits and dashes.
    table : GapTable
        All rows; a row's policy is its series.
    names : mapping of (str, str or None) to str
        The series of a policy with a predictor.
    metrics : tuple of str
        Those that the experiment shows.
    quantiles : DataFrame
        Percentiles averaged over replications: ``series, point, time, percentile, value`` (s).
    bounds : DataFrame
        One row per column and bound: ``point, metric, name, sense, validity, certified, value, half_width, paths``.
    """

    name: str
    table: GapTable
    names: Mapping[tuple[str, str | None], str]
    metrics: tuple[str, ...]
    quantiles: pd.DataFrame
    bounds: pd.DataFrame

    @property
    def place(self) -> tuple[str, str]:
        """Workload and fleet, as labelled."""
        return (self.table.workload, self.table.fleet)

    @property
    def title(self) -> str:
        """The workload and the fleet."""
        return f"{self.table.workload} on {self.table.fleet}"

    @property
    def axis_title(self) -> str:
        """What the columns are, with the unit."""
        return AXES[self.table.axis]

    @property
    def axis_name(self) -> str:
        """What the columns are, in a word."""
        return self.table.axis.removesuffix("_per_s")

    @cached_property
    def rows(self) -> dict[tuple[str, float], GapRow]:
        """By series and column, in the order of the experiment."""
        return {(row.policy, row.place): row for row in self.table.rows}

    @cached_property
    def columns(self) -> tuple[float, ...]:
        """Loads, rates or scales, in the order of the experiment."""
        return tuple(dict.fromkeys(at for _, at in self.rows))

    @property
    def series(self) -> tuple[str, ...]:
        """The series, in the order of the experiment."""
        return self.table.policies

    @cached_property
    def gap_metrics(self) -> tuple[str, ...]:
        """Metrics that some row has a gap of, those that the experiment shows first."""
        found = dict.fromkeys(metric for row in self.rows.values() for metric in row.gaps)
        return tuple(dict.fromkeys([*(metric for metric in self.metrics if metric in found), *found]))

    def matrix(self, metric: str) -> GapMatrix:
        """The table as a matrix of one metric, arranged once."""
        if metric not in self._matrices:
            self._matrices[metric] = self.table.matrix(metric)
        return self._matrices[metric]

    @cached_property
    def _matrices(self) -> dict[str, GapMatrix]:
        return {}

    @property
    def ran(self) -> bool:
        """Whether any policy has a finished path."""
        return any(GAP_METRIC in row.metrics for row in self.rows.values())

    @property
    def remarks(self) -> list[str]:
        """What there is to say about stable rows, each thing once, and the notices."""
        places: dict[str, dict[str, list[str]]] = {}
        for (series, at), row in self.rows.items():
            if row.stable and row.reason:
                places.setdefault(row.reason, {}).setdefault(self.at_text(at), []).append(series)
        said = [f"{reason} ({_listed(columns)})" for reason, columns in places.items()]
        return [*said, *self.table.notices]

    @property
    def best_columns(self) -> list[int]:
        """Positions of the columns: first the highest where at least half of the series are stable."""
        stable = [sum(row.stable is True for (_, at), row in self.rows.items() if at == c) for c in self.columns]
        most = [min(count, (len(self.series) + 1) // 2) for count in stable]
        return sorted(range(len(self.columns)), key=lambda index: (-most[index], -self.columns[index]))

    def first(self, count: int) -> Setting:
        """The same setting with its first `count` series only."""
        kept = self.series[:count]
        return replace(
            self,
            table=replace(self.table, rows=tuple(row for row in self.table.rows if row.policy in kept)),
            names={key: name for key, name in self.names.items() if name in kept},
            quantiles=self.quantiles[self.quantiles["series"].isin(kept)],
        )

    def at_text(self, at: float) -> str:
        """A column in words: ``load 0.9``."""
        return {"load": f"load {at:g}", "rate_per_s": f"{at:g} requests/s", "scale": f"scale {at:g}"}[self.table.axis]


def _listed(columns: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{at}: {', '.join(series)}" for at, series in columns.items())
