"""The units of work: one policy at one load on every path, and the errors of the predictors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from experiments.paths.streams import Stream, generator, seed_sequence
from experiments.reproductions.ares.probe import Probe
from experiments.reproductions.ares.setting import Sweep, law, path_law
from experiments.reproductions.sampling import WINDOW
from fluid.fleets.balance_of_run import balance_of_run
from orsched.catalogue import hardware
from orsched.engine.simulation import simulate
from orsched.objectives import Objectives
from orsched.prediction import Predictor
from orsched.scoring import mean_tpot
from orsched.workloads import Workload
from policies.predictors.flat import Flat
from policies.predictors.refreshed import Refreshed
from policies.predictors.static import Static

SAMPLE_S = 30.0
"""Time between two looks at the balance, seconds; at every pass when passes are rarer."""

LABELS = 20
"""Tokens between two labels."""

PREDICTORS: tuple[Predictor, ...] = (Static(), Flat(), Refreshed())


class Row(TypedDict):
    """One policy on one path.

    Times and attainment are those of the arrivals in `WINDOW`; counts cover the whole path, the balance its samples up
    to the last arrival.
    """

    tpot_p50_s: float
    tpot_p99_s: float
    attainment: float
    preemptions: int
    migrations: int
    unbalance: float


@dataclass(frozen=True, slots=True)
class AresTask:
    """One family at one load of a sweep."""

    sweep: Sweep
    load: float
    family: str
    seed: int

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        return repr(("ares", replace(self.sweep, loads=()), self.load, self.family, self.seed))

    def compute(self) -> dict[str, Any]:
        """A row per path."""
        return {"rows": [self._row(replication) for replication in range(self.sweep.replications)]}

    def _row(self, replication: int) -> Row:
        sweep = self.sweep
        rng = generator(self.seed, Stream.WORKLOAD, replication)
        path = path_law(sweep.rate_per_s(self.load)).draw(sweep.requests, rng)
        policy = sweep.policy(self.family)
        probe = Probe(policy.control, max(1, round(SAMPLE_S / sweep.period_s)))
        watched = replace(policy, control=probe, control_every_s=sweep.period_s)
        run = simulate(path, sweep.fleet, watched, seed_sequence(self.seed, Stream.POLICY, replication))
        first, last = (int(share * len(run)) for share in WINDOW)
        tpot_s = ((run.completion_s - run.first_token_s) / np.maximum(run.output_tokens - 1, 1))[first:last]
        samples = probe.samples[: int(path.span_s / sweep.period_s) // max(1, round(SAMPLE_S / sweep.period_s))]
        busy = [sample for sample in samples if any(sample)]
        return {
            "tpot_p50_s": float(np.quantile(tpot_s, 0.5, method="inverted_cdf")),
            "tpot_p99_s": float(np.quantile(tpot_s, 0.99, method="inverted_cdf")),
            "attainment": float(mean_tpot(run, Objectives.same(sweep.slo, len(run)))[first:last].mean()),
            "preemptions": int(run.preemptions.sum()),
            "migrations": int(run.migrations.sum()),
            "unbalance": balance_of_run(busy, hardware(sweep.device)).mean_ratio - 1,
        }


@dataclass(frozen=True, slots=True)
class ErrorTask:
    """Mean absolute errors of the predictors on the lengths of the paths."""

    requests: int
    replications: int
    seed: int

    @property
    def identity(self) -> str:
        """Everything that decides the cell's numbers, but for the code."""
        return repr(("ares errors", self.requests, self.replications, self.seed))

    def compute(self) -> dict[str, Any]:
        """By predictor, an error per replication, tokens."""
        found: dict[str, list[float]] = {predictor.name.partition(":")[0]: [] for predictor in PREDICTORS}
        for replication in range(self.replications):
            path = law().draw(self.requests, generator(self.seed, Stream.WORKLOAD, replication))
            for predictor in PREDICTORS:
                rng = generator(self.seed, Stream.POLICY, replication)
                found[predictor.name.partition(":")[0]].append(mean_absolute_error(predictor, path, rng))
        return found


def mean_absolute_error(predictor: Predictor, path: Workload, rng: np.random.Generator) -> float:
    """Mean over labels every `LABELS` tokens of what is predicted to be left less what is, tokens.

    A predictor that is asked once is held against the whole length at every label, as in the predictors' own page.
    """
    predictions = predictor(path, rng)
    total, labels = 0.0, 0
    for request, length in enumerate(path.output_tokens.tolist()):
        emitted = np.arange(0, length, LABELS)
        if predictions.refresher is None:
            total += len(emitted) * abs(int(predictions.point[request]) - length)
        else:
            told = np.array([predictions.refresher(request, int(g)) for g in emitted])
            total += float(np.abs(told - (length - emitted)).sum())
        labels += len(emitted)
    return total / labels
