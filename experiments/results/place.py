"""Where a task stands in an experiment: what a table prints beside its numbers."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """The labels of one task; two places may share one task where the same numbers stand under two labels.

    Parameters
    ----------
    kind : str
        ``"serve"``: one policy on one sample path; ``"bound"``: the bounds of one sample path.
    workload, fleet : str
        As the specification labels them.
    policy, predictor : str or None
        None for bounds; no predictor where none is used.
    axis : str
        What the columns of the experiment are: ``"load"``, ``"rate_per_s"`` or ``"scale"``.
    point : float
        Where on the axis.
    seed, replication, requests : int
        Of the sample path.
    """

    kind: str
    workload: str
    fleet: str
    policy: str | None
    predictor: str | None
    axis: str
    point: float
    seed: int
    replication: int
    requests: int

    @property
    def path(self) -> tuple[str, str, str, float, int, int, int]:
        """The sample path: places that agree in it are of the same requests on the same fleet."""
        return (self.workload, self.fleet, self.axis, self.point, self.seed, self.replication, self.requests)
