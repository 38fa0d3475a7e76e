"""The units of work: the goodput of one policy on every path of a sweep, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from experiments.fleet.bounding import largest_multiple, offered_tiers
from experiments.paths.streams import Stream, generator, seed_sequence
from experiments.reproductions.goodput import bracket
from experiments.reproductions.polyserve.families import Choice, Family, family
from experiments.reproductions.polyserve.fleets import alike
from experiments.reproductions.polyserve.setting import LEVEL, LOADS, SHOWN_LOAD, STRICT, TUNING_LOADS, Sweep
from experiments.reproductions.sampling import WINDOW
from fluid.fleets import deadline_goodput_bound, mean_tpot_goodput_bound
from orsched.engine.simulation import simulate
from orsched.fleet import Fleet
from orsched.objectives import Objectives
from orsched.policy import Policy
from orsched.run import Run
from orsched.scoring import Bools, deadlines, mean_tpot
from orsched.workloads import Workload

MEASURES = (("deadlines", LEVEL), ("deadlines", STRICT), ("mean_tpot", LEVEL))
"""Scorings and levels at which goodput is searched."""

MOST_MULTIPLE = 3.0


class Visit(TypedDict):
    """One policy on one path at one load: shares of the arrivals in `WINDOW` within their objective; preemptions.

    `worst_tier` is the least share within deadlines of any tier.
    """

    load: float
    deadlines: float
    mean_tpot: float
    worst_tier: float
    preemptions: int


@dataclass(frozen=True, slots=True)
class GoodputTask:
    """One family of a sweep.

    Parameters
    ----------
    sweep : Sweep
        Where.
    family : str
        Of `experiments.reproductions.polyserve.families`.
    measures : tuple of (str, float)
        Of `MEASURES`.
    seed : int
        Of every random stream.
    """

    sweep: Sweep
    family: str
    measures: tuple[tuple[str, float], ...]
    seed: int

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        sweep = replace(self.sweep, name="", title="", families=(), ablations=())
        return repr(("polyserve", sweep, self.family, self.measures, self.seed))

    def compute(self) -> dict[str, Any]:
        """The choice of settings with the scores of all on a path of its own, and what was visited on each path."""
        found = family(self.sweep, self.family)
        scores = [self._score(found, choice) for choice in found.choices] if len(found.choices) > 1 else [0.0]
        choice = found.choices[int(np.argmax(scores))]
        fleet, policy = found.set_up(self.sweep, choice)
        return {
            "choices": [dict(one) for one in found.choices],
            "scores": scores,
            "choice": dict(choice),
            "information": policy.information.label,
            "fleet": fleet.name,
            "paths": [self._visits(fleet, policy, replication) for replication in range(self.sweep.replications)],
        }

    def _score(self, found: Family, choice: Choice) -> float:
        """Mean share within deadlines over the tuning loads."""
        fleet, policy = found.set_up(self.sweep, choice)
        visits = [
            visit(self.sweep, fleet, policy, load, self.sweep.tuning_requests, Stream.TUNING, 0, self.seed)
            for load in TUNING_LOADS
        ]
        return float(np.mean([one["deadlines"] for one in visits]))

    def _visits(self, fleet: Fleet, policy: Policy, replication: int) -> list[Visit]:
        """Every load that the searches look at, and the shown one, in order."""
        visited: dict[float, Visit] = {}

        def at(load: float) -> Visit:
            if load not in visited:
                requests, stream = self.sweep.requests, Stream.WORKLOAD
                visited[load] = visit(self.sweep, fleet, policy, load, requests, stream, replication, self.seed)
            return visited[load]

        at(SHOWN_LOAD)
        start = LOADS.index(SHOWN_LOAD)
        for scoring, level in self.measures:
            bracket(lambda k: at(LOADS[k])[scoring] >= level, len(LOADS), start)  # type: ignore[literal-required]  # noqa: B023
        return [visited[load] for load in sorted(visited)]


def visit(
    sweep: Sweep,
    fleet: Fleet,
    policy: Policy,
    load: float,
    requests: int,
    stream: Stream,
    replication: int,
    seed: int,
) -> Visit:
    """Let a policy serve a path of a sweep."""
    path = sweep.path(load, requests, generator(seed, stream, replication))
    run = simulate(path, fleet, policy, seed_sequence(seed, Stream.POLICY, replication), deadlines=True)
    within = shares(run, path)
    return {"load": load, **within, "preemptions": int(run.preemptions.sum())}  # type: ignore[typeddict-item]


def shares(run: Run, path: Workload) -> Mapping[str, Any]:
    """Shares of the arrivals in `WINDOW` within their objective, by scoring, and that of the tier that is worst off."""
    objectives = Objectives.of(path)
    first, last = (int(share * len(run)) for share in WINDOW)
    kept: Bools = deadlines(run, objectives)[first:last]
    tier = path.class_id[first:last]
    return {
        "deadlines": float(kept.mean()),
        "mean_tpot": float(mean_tpot(run, objectives)[first:last].mean()),
        "worst_tier": min(float(kept[tier == k].mean()) for k in np.unique(tier)),
    }


@dataclass(frozen=True, slots=True)
class BoundTask:
    """What no policy exceeds, on the paths of a sweep."""

    sweep: Sweep
    seed: int

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        sweep = replace(self.sweep, name="", title="", families=(), prefills=0, tuning_requests=0, ablations=())
        return repr(("polyserve bounds", sweep, self.seed))

    def compute(self) -> dict[str, Any]:
        """Bounds on loads.

        `all_good`: by path, the largest load at which every request can be within its objective in the long run, by
        either scoring; `most_good`: on the first path, the largest at which a share `LEVEL` can.
        """
        fleet = alike(replace(self.sweep, prefills=0))
        paths = [
            self.sweep.path(1.0, self.sweep.requests, generator(self.seed, Stream.WORKLOAD, replication))
            for replication in range(self.sweep.replications)
        ]
        programmes = {"deadlines": deadline_goodput_bound, "mean_tpot": mean_tpot_goodput_bound}
        return {
            "all_good": {
                scoring: [bound(offered_tiers(path), [fleet], scaled=True).bound.value for path in paths]
                for scoring, bound in programmes.items()
            },
            "most_good": largest_multiple(paths[0], fleet, "deadlines", LEVEL, 0.5, MOST_MULTIPLE),
        }
