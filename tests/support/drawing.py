"""A small experiment of real, pure tasks that take no time: means of drawn numbers, as policies on sample paths.

Also importable on workers, which need ``tests/support`` on their path. A task can write down that it was computed,
wait, or fail as long as a file is missing.
"""

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from experiments.results.place import Place
from experiments.tasks import code_version

NAMES = ("latency_mean_s", "throughput_requests_per_s")


@dataclass(frozen=True)
class Draw:
    """Mean of `size` exponential numbers of one path, times what its policy adds; or the bound on it."""

    policy: str | None
    at: float
    replication: int
    size: int = 50
    log: str | None = None
    wait_s: float = 0.0
    needs: str | None = None
    code: str = field(default_factory=code_version)
    place: Place | None = field(default=None, compare=False)

    @property
    def identity(self):
        return json.dumps([self.policy, self.at, self.replication, self.size])

    @property
    def id(self):
        return hashlib.sha256(f"{self.code}{self.identity}".encode()).hexdigest()[:24]

    def describe(self):
        return f"{self.policy or 'bounds'} at {self.at}, replication {self.replication}"

    def compute(self):
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(self.id + "\n")
        if self.wait_s:
            time.sleep(self.wait_s)
        if self.needs is not None and not Path(self.needs).exists():
            raise RuntimeError(f"there is no {self.needs} yet")
        best = float(np.random.default_rng([self.replication, int(1000 * self.at)]).exponential(size=self.size).mean())
        row = {
            "task": self.id,
            "kind": "bound" if self.policy is None else "serve",
            "code": self.code,
            "workload": "numbers",
            "fleet": "none",
            "policy": self.policy,
            "information": None if self.policy is None else "none",
            "axis": "load",
            "point": self.at,
            "load": self.at,
            "replication": self.replication,
            "seed": 0,
            "requests": self.size,
            "status": "done",
            "reason": "",
            "settings": "{}",
            "metrics": {},
            "shown": {},
            "comparable": [],
            "subject": f"path {self.at} {self.replication}",
            "quantiles": {},
            "bounds": [],
            "notices": [],
            "wall_s": time.time() % 1,
        }
        if self.policy is None:
            bound = {"sense": "lower", "validity": "pathwise", "certified": True, "metric": NAMES[0]}
            return row | {"bounds": [bound | {"name": "least", "value": best}]}
        value = best * (1 + len(self.policy) / 10)
        metrics = {NAMES[0]: value, NAMES[1]: 1 / value, "rejected_share": 0.0}
        times = {"latency_s": np.linspace(0, value, 101).tolist()}
        return row | {
            "stable": True,
            "growth_per_s": 0.0,
            "metrics": metrics,
            "shown": metrics,
            "comparable": list(NAMES),
            "clock_s": value,
            "quantiles": times,
        }


@dataclass(frozen=True)
class Wanted:
    relative: float
    metric: str = NAMES[0]
    least: int = 4
    most: int = 64


@dataclass(frozen=True)
class Drawing:
    """Policies ``a``, ``bb`` and the bound, at two places."""

    first_replications: int = 4
    policies: tuple = ("a", "bb")
    precision: Wanted | None = None
    size: int = 50
    log: str | None = None
    wait_s: float = 0.0
    needs: str | None = None
    failing: tuple = ()
    code: str = field(default_factory=code_version)

    @property
    def key(self):
        facts = [self.first_replications, self.policies, self.size, repr(self.precision)]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]

    def to_toml(self):
        return f"key = {json.dumps(self.key)}\n"

    def tasks(self, replications=None):
        return [
            Draw(
                policy,
                at,
                replication,
                self.size,
                self.log,
                self.wait_s,
                self.needs if (policy, replication) in self.failing else None,
                self.code,
                Place(
                    "bound" if policy is None else "serve",
                    "numbers",
                    "none",
                    policy,
                    None,
                    "load",
                    at,
                    0,
                    replication,
                    self.size,
                ),
            )
            for replication in range(replications or self.first_replications)
            for at in (0.5, 0.9)
            for policy in (None, *self.policies)
        ]


def main():
    """Run a drawing in a process of its own: ``drawing.py DIR SETTINGS`` with settings as JSON; prints what it did."""
    import sys

    from experiments.execution.backend import InProcess, Processes
    from experiments.execution.cluster import Cluster
    from experiments.execution.opening import open_for
    from experiments.execution.run import execute

    settings = json.loads(sys.argv[2])
    workers, cluster = settings.pop("workers", 1), settings.pop("cluster", None)
    retry, settings["failing"] = settings.pop("retry", False), tuple(map(tuple, settings.get("failing", ())))
    backend = InProcess() if workers == 1 else Processes(workers)
    spec = Drawing(**settings)
    ran = execute(
        spec, open_for(spec, Path(sys.argv[1])), backend=Cluster(cluster) if cluster else backend, retry_failed=retry
    )
    print(json.dumps([ran.total, ran.computed, len(ran.failures)]))


if __name__ == "__main__":
    import drawing

    drawing.main()  # from the module that workers import, not from __main__
