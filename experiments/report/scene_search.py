"""Which sample path of a setting is simulated again for the charts over time, and doing it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.paths.sample_path import SamplePath, sample_path
from experiments.report.scene import Scene
from experiments.report.setting import Setting
from experiments.tasks import ServeTask
from orsched.errors import OrschedError

if TYPE_CHECKING:
    from experiments.findings import Findings

MOST_REQUESTS = 100_000
"""Requests that are simulated again for one report, over all policies: ten seconds, a minute where they sort queues."""

SAME = 1e-9
"""Relative difference of mean latencies from which a simulation is not the one that was stored."""


class SceneSearch:
    """Finds scenes until `MOST_REQUESTS` are used up.

    Parameters
    ----------
    findings : Findings
        Whose first replication is simulated again.
    """

    def __init__(self, findings: Findings) -> None:
        self.left = MOST_REQUESTS
        self.failed = ""
        self._stored = _stored(findings)
        self._tasks: Sequence[ServeTask] = ()
        try:
            tasks = findings.spec.tasks(1)
        except OrschedError as error:  # a trace or a hardware file that is not here any more
            self.failed = f"not simulated again: {error}"
            return
        first = findings.spec.seeds[0]
        self._tasks = [task for task in tasks if isinstance(task, ServeTask) and task.path.seed == first]

    def scene(self, setting: Setting) -> Scene | str:
        """The scene of the best column that can be afforded, or why there is none."""
        if self.failed:
            return f"Charts over time: {self.failed}."
        for index in setting.best_columns:
            tasks = self._of(setting, setting.columns[index])
            cost = sum(task.path.requests for task in tasks.values())
            if tasks and cost <= self.left:
                self.left -= cost
                return self._simulated(setting, setting.columns[index], tasks)
        return (
            f"Charts over time are left out here: a report simulates at most {MOST_REQUESTS:,} requests again, and "
            "other charts of this report have used what is left."
        )

    def _of(self, setting: Setting, at: float) -> dict[str, ServeTask]:
        found: dict[str, ServeTask] = {}
        for task in self._tasks:
            place = task.place
            if place is None or (place.workload, place.fleet, place.point) != (*setting.place, at):
                continue
            series = setting.names.get((place.policy or "", place.predictor))
            if series is not None and (series, at) in setting.rows and setting.rows[series, at].stable is not None:
                found.setdefault(series, task)
        return found

    def _simulated(self, setting: Setting, at: float, tasks: dict[str, ServeTask]) -> Scene | str:
        paths: dict[str, SamplePath] = {}
        left_out: list[str] = []
        for series, task in tasks.items():
            try:
                path = sample_path(*task.scene())
            except OrschedError as error:
                left_out.append(f"{series} ({error})")
                continue
            stored = self._stored.get(task.place)
            found = float(path.run.latency_s[path.run.rejected == 0].mean())
            if stored is None:
                left_out.append(f"{series} (this path is not finished)")
            elif not math.isclose(stored, found, rel_tol=SAME):
                left_out.append(f"{series} (it comes out otherwise than what was stored: the code has changed since)")
            else:
                paths[series] = path
        task = next(iter(tasks.values()))
        title = f"{setting.at_text(at)}, seed {task.path.seed}, replication 0"
        if not paths:
            return f"Charts over time are left out: {'; '.join(left_out)}."
        return Scene(title, paths, tuple(left_out))


def _stored(findings: Findings) -> dict[object, float]:
    """Mean latency of every finished first replication, by its place."""
    frame = findings.frame()
    found = frame[(frame["metric"] == "latency_mean_s") & (frame["replication"] == 0)]
    ids = dict(zip(found["task"], found["whole_value"], strict=True))
    return {place: ids[task] for task, place in findings.plan.places() if task in ids}
