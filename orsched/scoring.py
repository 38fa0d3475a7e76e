"""Which requests of a run kept their objectives, in total and by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orsched.errors import InputError
from orsched.objectives import Objectives
from orsched.quantiles import percentiles
from orsched.run import Run

Bools = NDArray[np.bool_]

Scoring = Callable[[Run, Objectives], Bools]
"""Says of every request whether it kept its objective, shape ``(n,)``; False where it never completed."""

CLOCK = 1e-12
"""Rounding of a simulated time, relative to the time on the clock: a deadline missed by less is kept."""

_PERCENTS = (50, 99)
_HOUR_S = 3600.0


def mean_tpot(run: Run, objectives: Objectives) -> Bools:
    """First token within TTFT of the arrival, and mean time per output token after it at most TPOT.

    A request with one output token has no time per output token: only the first-token limit applies to it.
    """
    _require_match(run, objectives)
    tpot_s = (run.completion_s - run.first_token_s) / np.maximum(run.output_tokens - 1, 1)
    in_time = (tpot_s <= objectives.tpot_s) | ((run.output_tokens == 1) & np.isfinite(run.completion_s))
    return np.asarray((run.ttft_s <= objectives.ttft_s) & in_time)


def deadlines(run: Run, objectives: Objectives) -> Bools:
    """Token ``i = 0, 1, ...`` within ``TTFT + i TPOT`` of the arrival: cumulative deadlines, PolyServe's DSLO.

    That is arXiv 2507.17769, section 2.3, known to us at second hand. A slow iteration may be made good by earlier
    fast ones, and an early first token leaves time for all others.

    Raises
    ------
    InputError
        When the run was simulated without ``deadlines=True``, or with other objectives.
    """
    _require_match(run, objectives)
    if run.lateness_s is None:
        raise InputError(f"run of {run.policy!r} has no lateness: simulate it with deadlines=True")
    _require_same_objectives(run, objectives)
    return kept_deadlines(run)


def kept_deadlines(run: Run) -> Bools:
    """`deadlines` with the objectives that the run was simulated with; it must have a lateness."""
    assert run.lateness_s is not None
    with np.errstate(invalid="ignore"):
        return np.asarray(run.lateness_s <= CLOCK * run.completion_s)


SCORINGS: Mapping[str, Scoring] = MappingProxyType({"mean-tpot": mean_tpot, "deadlines": deadlines})
"""The scorings by name."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one class of a run, or all of it, did against its objectives.

    Parameters
    ----------
    name : str
        Of the class; ``"all"`` for the whole run.
    requests, met, rejected, unfinished : int
        All of them; those that kept their objective; those turned away, and those that never completed although they
        were not. The last two count as missed.
    goodput_per_s : float
        `met` per second from the first arrival of the run to its last completion or arrival.
    ttft_s, tpot_s : mapping of str to float
        ``p50`` and ``p99`` over the requests that completed (with at least two tokens, for TPOT); empty without any.
    """

    name: str
    requests: int
    met: int
    rejected: int
    unfinished: int
    goodput_per_s: float
    ttft_s: Mapping[str, float]
    tpot_s: Mapping[str, float]

    @property
    def attainment(self) -> float:
        """Share of the requests that kept their objective."""
        return self.met / self.requests

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Exact binomial interval (Clopper and Pearson) of the attainment.

        It takes requests for independent, which those of one run are not: prefer intervals over replications.
        """
        from scipy.stats import binomtest

        found = binomtest(self.met, self.requests).proportion_ci(level, method="exact")
        return float(found.low), float(found.high)

    def to_row(self) -> dict[str, Any]:
        """Flat record; a time that nobody has is missing."""
        counts = {name: getattr(self, name) for name in ("requests", "met", "rejected", "unfinished")}
        times = {f"{kind}_{p}_s": v for kind in ("ttft", "tpot") for p, v in getattr(self, f"{kind}_s").items()}
        return {
            "class": self.name,
            **counts,
            "attainment": self.attainment,
            "goodput_per_s": self.goodput_per_s,
        } | times


def score(run: Run, objectives: Objectives, scoring: Scoring) -> tuple[Score, ...]:
    """Score a run: one entry per class that has requests, and one for all of them at the end.

    Raises
    ------
    InputError
        When run and objectives differ in length, when the run takes no time, or as the scoring says.
    """
    met = scoring(run, objectives)
    seconds = horizon_s(run)
    names = objectives.names
    kinds = [(names[k], objectives.class_id == k) for k in np.unique(objectives.class_id).tolist()]
    return tuple(_score(name, run, rows, met, seconds) for name, rows in [*kinds, ("all", np.ones(len(run), bool))])


def _score(name: str, run: Run, rows: Bools, met: Bools, seconds: float) -> Score:
    completed = np.isfinite(run.completion_s) & rows
    several = completed & (run.output_tokens > 1)
    tpot = (run.completion_s - run.first_token_s)[several] / (run.output_tokens[several] - 1)
    rejected = rows & (run.rejected > 0)
    return Score(
        name=name,
        requests=int(rows.sum()),
        met=int((met & rows).sum()),
        rejected=int(rejected.sum()),
        unfinished=int((rows & ~completed & ~rejected).sum()),
        goodput_per_s=float((met & rows).sum()) / seconds,
        ttft_s=percentiles(run.ttft_s[completed], _PERCENTS) if completed.any() else {},
        tpot_s=percentiles(tpot, _PERCENTS) if several.any() else {},
    )


def goodput_per_instance_s(run: Run, met: Bools) -> float:
    """Requests within their objectives per second of the run and instance of the fleet, switched on or not."""
    return float(met.sum()) / (horizon_s(run) * len(run.on_s))


def goodput_per_server_hour(run: Run, met: Bools) -> float:
    """Requests within their objectives per hour for which some instance was switched on.

    Raises
    ------
    InputError
        When no instance ever was.
    """
    hours = float(run.on_s.sum()) / _HOUR_S
    if not hours > 0:
        raise InputError(f"run of {run.policy!r}: no instance was ever on, so there are no server-hours")
    return float(met.sum()) / hours


def horizon_s(run: Run) -> float:
    """Seconds from the first arrival to the last completion or arrival, whichever is later.

    The makespan, where every request completes. Where some are rejected the last arrival may come after all
    completions: who turns requests away is not done sooner for it.

    Raises
    ------
    InputError
        When that is no time at all: no rate exists.
    """
    done = run.completion_s[np.isfinite(run.completion_s)]
    seconds = float(max(done.max(initial=-np.inf), run.arrival_s[-1]) - run.arrival_s[0])
    if not seconds > 0:
        raise InputError(f"run of {run.policy!r} has a makespan of {seconds} s: no rates exist")
    return seconds


def _require_match(run: Run, objectives: Objectives) -> None:
    if len(objectives) != len(run):
        raise InputError(f"{len(objectives)} objectives for a run of {len(run)} requests: give one for each")


def _require_same_objectives(run: Run, objectives: Objectives) -> None:
    """Refuse objectives that contradict the lateness: the first and the last token are known otherwise."""
    assert run.lateness_s is not None
    done = np.isfinite(run.completion_s)
    first = (run.ttft_s - objectives.ttft_s)[done]
    last = (run.latency_s - objectives.life_s(run.output_tokens))[done]
    least, found = np.maximum(first, last), run.lateness_s[done]
    slack = 1e-9 * (1 + np.abs(run.completion_s[done]))
    wrong = (found < least - slack) | ((run.output_tokens[done] <= 2) & (found > least + slack))
    if wrong.any():
        row = int(np.flatnonzero(done)[np.argmax(wrong)])
        raise InputError(
            f"request {row} is late by {run.lateness_s[row]:.6g} s in the run of {run.policy!r}; these objectives "
            "contradict that: score a run with the objectives that it was simulated with"
        )
