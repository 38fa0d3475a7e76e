"""Hindsight optima of many instances, and how far MC-SF is from them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.hindsight.laws import Law
from experiments.notebook import frames_html
from fluid.hindsight import hindsight_optimum, mc_sf_starts, total_latency
from orsched.checks import require_number, require_whole

if TYPE_CHECKING:
    import pandas as pd

CLOSE = 0.01
"""Proved gap up to which an instance counts as closed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One instance.

    Parameters
    ----------
    index : int
        Number of the instance under the seed.
    requests, memory_tokens : int
        Size.
    mc_sf, incumbent, bound : int
        TEL of MC-SF, of the best schedule found, and the proved lower bound, rounds.
    bound_source, status : str
        What the bound rests on; whether incumbent and bound meet.
    seconds, cpu_s : float
        Wall time and processor time of this process for the solution.
    """

    index: int
    requests: int
    memory_tokens: int
    mc_sf: int
    incumbent: int
    bound: int
    bound_source: str
    status: str
    seconds: float
    cpu_s: float

    @property
    def gap(self) -> float:
        """``(incumbent - bound) / bound``."""
        return (self.incumbent - self.bound) / self.bound

    @property
    def ratio(self) -> float:
        """MC-SF over the best schedule found: at most MC-SF over the optimum."""
        return self.mc_sf / self.incumbent

    @property
    def most(self) -> float:
        """MC-SF over the lower bound: at least MC-SF over the optimum."""
        return self.mc_sf / self.bound


@dataclass(frozen=True, slots=True)
class Study:
    """The rows of one law, and what they add up to.

    Parameters
    ----------
    law : Law
        The law.
    method : str
        Method of `fluid.hindsight.hindsight_optimum`.
    seed : int
        Of the instances.
    time_limit_s : float
        Per instance.
    rows : tuple of Row
        At least one.
    """

    law: Law
    method: str
    seed: int
    time_limit_s: float
    rows: tuple[Row, ...]

    def column(self, name: str) -> list[float]:
        """One value per instance."""
        return [float(getattr(row, name)) for row in self.rows]

    @property
    def closed(self) -> tuple[Row, ...]:
        """Instances with a proved gap of at most 1%: only there is MC-SF over the optimum known to 1%."""
        return tuple(row for row in self.rows if row.gap <= CLOSE)

    @property
    def beaten(self) -> int:
        """Instances on which a schedule strictly better than MC-SF's was found."""
        return sum(row.incumbent < row.mc_sf for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """One JSON object: settings, summary, published values, rows."""
        return {
            "law": self.law.name,
            "method": self.method,
            "seed": self.seed,
            "time_limit_s": self.time_limit_s,
            "instances": len(self.rows),
            "closed_share": len(self.closed) / len(self.rows),
            "proved_optimal": sum(row.status == "optimal" for row in self.rows),
            "mc_sf_beaten": self.beaten,
            "gap": _summary(self.column("gap")),
            "mc_sf_over_incumbent": _summary(self.column("ratio")),
            "mc_sf_over_bound": _summary(self.column("most")),
            "mc_sf_over_optimum_where_closed": _summary([row.ratio for row in self.closed]) if self.closed else None,
            "published": {"mean": self.law.mean_ratio, "worst": self.law.worst_ratio, "best": 1.0},
            "seconds": _summary(self.column("seconds")),
            "cpu_s": _summary(self.column("cpu_s")),
            "rows": [{**asdict(row), "gap": row.gap, "mc_sf_over_incumbent": row.ratio} for row in self.rows],
        }

    def frame(self) -> pd.DataFrame:
        """One row per instance; whatever else `to_json` has is in ``attrs``.

        Columns: index; requests; memory_tokens; mc_sf, incumbent and bound (TEL, rounds); bound_source; status;
        seconds (wall) and cpu_s; gap, ``(incumbent - bound) / bound``; mc_sf_over_incumbent.
        """
        import pandas as pd

        document = self.to_json()
        frame = pd.DataFrame(document.pop("rows"))
        frame.attrs.update(document)
        return frame

    def _repr_html_(self) -> str:
        return frames_html({f"law {self.law.name}, seed {self.seed}, method {self.method}": self.frame()})


def study(
    law: Law,
    instances: int,
    *,
    seed: int = 0,
    time_limit_s: float = 60.0,
    method: str = "portfolio",
    on_done: Callable[[], None] = lambda: None,
) -> Study:
    """Solve `instances` instances of a law one after another.

    Raises
    ------
    InputError
        For a count, a seed or a time limit that is none, and whatever `hindsight_optimum` refuses.
    """
    require_whole("instances", instances, least=1)
    require_whole("seed", seed, least=0, most=sys.maxsize)
    require_number("time_limit", time_limit_s, above=True, unit="seconds")
    instances, seed, time_limit_s = int(instances), int(seed), float(time_limit_s)
    rows = []
    for index in range(instances):
        rows.append(_solved(law, seed, index, time_limit_s, method))
        on_done()
    return Study(law, method, seed, time_limit_s, tuple(rows))


def _solved(law: Law, seed: int, index: int, time_limit_s: float, method: str) -> Row:
    instance = law.instance(seed, index)
    greedy = total_latency(instance, mc_sf_starts(instance))
    begin_s = time.process_time()
    found = hindsight_optimum(instance, time_limit_s, method)
    cpu_s = time.process_time() - begin_s
    return Row(
        index,
        len(instance),
        instance.memory_tokens,
        greedy,
        found.value,
        found.bound,
        found.bound_source,
        found.status,
        found.seconds,
        cpu_s,
    )


def _summary(values: list[float]) -> dict[str, float]:
    """Mean, least, median and largest."""
    column = np.array(values)
    return {
        "mean": float(column.mean()),
        "min": float(column.min()),
        "median": float(np.median(column)),
        "max": float(column.max()),
    }
