"""One task: one policy on one sample path."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.random import SeedSequence

from experiments.comparison.serving import Served, serve
from experiments.paths.streams import Stream, seed_sequence
from experiments.render.plain import plain
from experiments.tasks.code_version import code_version
from experiments.tasks.identity import canonical, task_id
from experiments.tasks.path_choice import DrawnPath, PathChoice, drawn
from experiments.tasks.policy_choice import PolicyChoice, Refusal, built
from experiments.tasks.row import row_of
from experiments.tasks.scene import Scene
from orsched.errors import InputError
from orsched.policy import Policy
from orsched.request import SLO

if TYPE_CHECKING:
    from experiments.results.place import Place

PERCENTS = np.arange(101) / 100
"""Levels of the quantiles that a row keeps."""


@dataclass(frozen=True, slots=True)
class ServeTask:
    """Let one policy serve one sample path, and measure everything.

    Parameters
    ----------
    path : PathChoice
        The path.
    policy : PolicyChoice
        Who decides.
    slo : SLO, optional
        For goodput and attainment, where requests have no tiers.
    warm_up : str
        Rule of `orsched.statistics.warmup` for the arrivals left out of the column ``shown``.
    token_gaps : bool
        Measure the percentiles of the gaps between tokens as well.
    place : Place, optional
        Where it stands in an experiment: labels, no part of what it is.
    """

    path: PathChoice
    policy: PolicyChoice
    slo: SLO | None = None
    warm_up: str = "none"
    token_gaps: bool = False
    place: Place | None = field(default=None, compare=False)

    kind: ClassVar[str] = "serve"

    @property
    def identity(self) -> str:
        """Canonical JSON of everything that decides the numbers, but for the code."""
        facts = {
            "kind": self.kind,
            "path": self.path.facts,
            "policy": self.policy.facts,
            "slo": None if self.slo is None else [self.slo.ttft_s, self.slo.tpot_s],
            "warm_up": self.warm_up,
            "token_gaps": self.token_gaps,
        }
        return canonical(facts)

    @property
    def id(self) -> str:
        """Name of the task and of the row it computes."""
        return task_id(code_version(), self.identity)

    def describe(self) -> str:
        """One line for progress and failures."""
        return f"{self.policy.shown} on {self.path.shown}"

    def compute(self) -> dict[str, Any]:
        """The row; the same wherever it is computed, but for ``wall_s``.

        Raises
        ------
        OrschedError
            When the path cannot be drawn or served; a policy that cannot run there gives a row that says so.
        """
        start = time.perf_counter()
        sample = drawn(self.path)
        policy = built(self.policy, self.path)
        if isinstance(policy, Refusal):
            found: dict[str, Any] = {"status": "unavailable", "reason": policy.reason}
        else:
            found = self._served(sample, policy)
        who = {
            "policy": self.policy.name,
            "information": policy.information if isinstance(policy, Refusal) else policy.information.label,
            "predictor": self.policy.predictor,
            "router": self.policy.router,
        }
        return row_of(self.id, self.kind, self.path, sample, time.perf_counter() - start) | who | found

    def scene(self) -> Scene:
        """What `compute` simulates, for who wants to look at the run itself.

        Raises
        ------
        InputError
            When the policy cannot run there; says why.
        """
        sample = drawn(self.path)
        policy = built(self.policy, self.path)
        if isinstance(policy, Refusal):
            raise InputError(f"{self.describe()}: {policy.reason}")
        return Scene(sample.workload, sample.fleet, policy, self._seed())

    def _seed(self) -> SeedSequence:
        return seed_sequence(self.path.seed, Stream.POLICY, self.path.replication)

    def _served(self, sample: DrawnPath, policy: Policy) -> dict[str, Any]:
        served = serve(
            sample.workload,
            sample.fleet,
            policy,
            self._seed(),
            load=sample.load,
            least_load=self.path.least_load,
            slo=sample.judged_by(self.slo),
            warm_up_rule=self.warm_up,
            token_gaps=self.token_gaps,
        )
        return {
            "reason": served.stability.reason,
            "stable": served.stability.stable,
            "growth_per_s": served.stability.growth_per_s,
            "settings": json.dumps(plain(policy.settings), sort_keys=True, allow_nan=False),
            "metrics": dict(served.whole),
            "shown": dict(served.shown),
            "comparable": list(served.comparable),
            "clock_s": served.clock_s,
            "quantiles": quantiles_of(served),
        }


def quantiles_of(served: Served) -> dict[str, list[float]]:
    """Percentiles 0 to 100 of the per-request times after the warm-up, as in `orsched.statistics.quantiles`."""
    run = served.run
    shown = (run.rejected == 0) & (np.arange(len(run)) >= served.skip)
    gaps = run.output_tokens - 1
    several = shown & (gaps > 0)
    times = {
        "latency_s": run.latency_s[shown],
        "ttft_s": run.ttft_s[shown],
        "tpot_s": (run.completion_s - run.first_token_s)[several] / gaps[several],
    }
    return {
        name: np.quantile(values, PERCENTS, method="inverted_cdf").tolist()
        for name, values in times.items()
        if values.size
    }
