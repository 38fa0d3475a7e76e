"""Requests and KV memory over time, measured beside simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.validation.replay import Replay
from experiments.validation.request_log import RequestLog
from orsched.work import Floats

QUANTITIES = ("in_system", "running", "waiting", "kv_share")
"""Requests in the system, in the batch, waiting; share of the KV memory in use."""

MOST_SHIFT_S, SHIFT_STEP_S = 3.0, 0.01

MOST_POINTS = 10_000
"""Of a curve, where the engine reported nothing: longer runs than so many seconds are looked at less often."""


@dataclass(frozen=True, slots=True, eq=False)
class Seconds:
    """What the engine reported once a second, at its last iteration before the second was full.

    Parameters
    ----------
    t_s : ndarray of float64, shape (k,)
        Seconds since its reporter started, a moment before the first request.
    running, waiting : ndarray of float64, shape (k,)
        Requests.
    kv_share : ndarray of float64, shape (k,), optional
        Share of the KV memory in use; None when it was not recorded.
    """

    t_s: Floats
    running: Floats
    waiting: Floats
    kv_share: Floats | None = None

    def shift_s(self, log: RequestLog) -> float:
        """Reporter's clock minus the log's: where the counts agree best with the log's own stamps.

        Only measured numbers are used, so that nothing of a simulation can be fitted.
        """
        shifts = np.arange(-MOST_SHIFT_S, MOST_SHIFT_S + SHIFT_STEP_S / 2, SHIFT_STEP_S)
        present = self.running + self.waiting
        misfits = [float(np.abs(log.in_system(self.t_s - shift) - present).mean()) for shift in shifts]
        return float(shifts[int(np.argmin(misfits))])


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Quantities of `QUANTITIES` at some times.

    Parameters
    ----------
    t_s : ndarray of float64, shape (k,)
        Seconds since the first request was queued.
    measured, simulated : dict of str to ndarray of float64, shape (k,)
        By quantity; of the measured ones only those that were recorded.
    """

    t_s: Floats
    measured: dict[str, Floats]
    simulated: dict[str, Floats]

    def mean_absolute(self, quantity: str) -> float:
        """Mean over time of ``|simulated - measured|``, in the quantity's unit."""
        return float(np.abs(self.simulated[quantity] - self.measured[quantity]).mean())

    def to_json(self) -> dict[str, Any]:
        """Times, curves, their means and mean absolute differences."""
        return {
            "t_s": self.t_s.tolist(),
            "measured": {name: values.tolist() for name, values in self.measured.items()},
            "simulated": {name: values.tolist() for name, values in self.simulated.items()},
            "means": {
                name: {"measured": float(values.mean()), "simulated": float(self.simulated[name].mean())}
                for name, values in self.measured.items()
            },
            "mean_absolute_difference": {name: self.mean_absolute(name) for name in self.measured},
        }


def curves(found: Replay, seconds: Seconds | None) -> Curves:
    """At the instants that the engine reported, or else at every full second until both have finished.

    With `MOST_POINTS` of them or fewer: a longer run is looked at every second, third, ... second.
    """
    log = found.log
    if seconds is None:
        end_s = np.ceil(max(log.last_token_s.max(), found.run.completion_s.max()))
        step_s = np.ceil(end_s / MOST_POINTS)
        t_s = step_s * np.arange(1, np.ceil(end_s / step_s) + 1)
        measured = {"in_system": np.asarray(log.in_system(t_s), dtype=float)}
    else:
        t_s = seconds.t_s - seconds.shift_s(log)
        measured = {
            "in_system": seconds.running + seconds.waiting,
            "running": seconds.running,
            "waiting": seconds.waiting,
        }
        if seconds.kv_share is not None:
            measured["kv_share"] = seconds.kv_share
    in_system, running = found.in_system(t_s), found.recorder.running(t_s)
    simulated = {
        "in_system": in_system,
        "running": running,
        "waiting": in_system - running,
        "kv_share": found.recorder.kv_share(t_s),
    }
    return Curves(t_s, measured, simulated)
