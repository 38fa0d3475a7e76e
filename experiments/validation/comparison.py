"""How far a simulated time per request is from the measured one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from experiments.validation.replay import Replay
from orsched.statistics.quantiles import percentiles
from orsched.work import Floats

TARGETS: Mapping[str, float] = MappingProxyType({"ttft": 0.08, "tpot": 0.02, "latency": 0.03})
"""Largest relative error of the mean that counts as met, by metric."""

BLOCK, RESAMPLES, SEED = 20, 2_000, 0
"""Consecutive requests in a block of the bootstrap, resamples, and the seed of its random stream."""

LEAST_BLOCKS = 10
"""Blocks below which resampling them says too little: the interval would be far too short."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One metric of one run, request by request.

    Parameters
    ----------
    metric : str
        ``ttft``, ``tpot`` or ``latency``.
    measured, simulated : ndarray of float64, shape (n,)
        Seconds; the same requests in the same order.
    """

    metric: str
    measured: Floats
    simulated: Floats

    @property
    def statistics(self) -> dict[str, tuple[float, float]]:
        """Measured and simulated mean, p50, p90 and p99, seconds."""
        pairs = {"mean": (float(self.measured.mean()), float(self.simulated.mean()))}
        simulated = percentiles(self.simulated)
        return pairs | {name: (value, simulated[name]) for name, value in percentiles(self.measured).items()}

    @property
    def error(self) -> float:
        """Relative error of the mean, signed: ``simulated / measured - 1``."""
        return float(self.simulated.mean() / self.measured.mean() - 1)

    @property
    def met(self) -> bool:
        """Whether the error of the mean is within its target."""
        return abs(self.error) <= TARGETS[self.metric]

    @property
    def interval(self) -> tuple[float, float] | None:
        """95% of `error` over resamples of the requests, by blocks of consecutive ones (circular block bootstrap).

        None of fewer than `LEAST_BLOCKS` blocks, that is 200 requests.

        It says how much the error depends on which requests happened to be in the run; not how much the server would
        differ from itself in a second run, of which one run tells nothing.
        """
        n = len(self.measured)
        if n < LEAST_BLOCKS * BLOCK:
            return None
        starts = np.random.default_rng(SEED).integers(0, n, size=(RESAMPLES, -(-n // BLOCK)))
        rows = ((starts[:, :, None] + np.arange(BLOCK)) % n).reshape(RESAMPLES, -1)[:, :n]
        errors = self.simulated[rows].mean(axis=1) / self.measured[rows].mean(axis=1) - 1
        low, high = np.quantile(errors, [0.025, 0.975])
        return float(low), float(high)

    @property
    def mean_absolute(self) -> float:
        """Mean over requests of ``|simulated - measured|``, seconds."""
        return float(np.abs(self.simulated - self.measured).mean())

    @property
    def correlation(self) -> float | None:
        """Pearson's, over requests; None when one side does not vary."""
        if np.ptp(self.measured) == 0 or np.ptp(self.simulated) == 0:
            return None
        return float(np.corrcoef(self.measured, self.simulated)[0, 1])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        interval = self.interval
        return {
            "statistics": {
                name: {"measured_s": measured, "simulated_s": simulated, "error": relative(measured, simulated)}
                for name, (measured, simulated) in self.statistics.items()
            },
            "error": self.error,
            "error_interval": None if interval is None else list(interval),
            "target": TARGETS[self.metric],
            "met": self.met,
            "mean_absolute_error_s": self.mean_absolute,
            "correlation": self.correlation,
        }


def relative(measured: float, simulated: float) -> float | None:
    """Signed relative error; None of a measured zero."""
    return simulated / measured - 1 if measured else None


def compare(found: Replay) -> tuple[Comparison, ...]:
    """Time to first token, time per output token after it (of requests with several) and latency, from queueing on.

    What no request has, or what was measured as 0 in the mean, has no relative error and is left out.
    """
    log, run = found.log, found.run
    several = log.output_tokens > 1
    measured = {
        "ttft": log.first_token_s - log.queued_s,
        "tpot": (log.last_token_s - log.first_token_s)[several] / (log.output_tokens[several] - 1),
        "latency": log.last_token_s - log.queued_s,
    }
    simulated = {"ttft": run.ttft_s, "tpot": run.tpot_s, "latency": run.latency_s}
    return tuple(
        Comparison(metric, times, simulated[metric]) for metric, times in measured.items() if times.size and times.sum()
    )
