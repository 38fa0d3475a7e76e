"""Play a measured log through a simulated engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from experiments.validation.recorder import Recorder
from experiments.validation.request_log import RequestLog
from experiments.validation.settings import EngineSettings
from orsched.catalogue import Hardware
from orsched.engine.simulation import simulate
from orsched.policy import Batcher
from orsched.run import Run
from orsched.valid_range import outside
from orsched.work import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A log and what the simulator makes of it.

    Parameters
    ----------
    log : RequestLog
        What was measured.
    run : Run
        What was simulated; row ``i`` is request ``i`` of the log.
    recorder : Recorder
        What the scheduler saw meanwhile.
    beyond : tuple of str
        Where batches left the range that the hardware entry was calibrated in, one sentence each.
    """

    log: RequestLog
    run: Run
    recorder: Recorder
    beyond: tuple[str, ...]

    def in_system(self, times_s: Floats) -> Floats:
        """Simulated requests queued and not finished at each of `times_s`."""
        done = np.searchsorted(np.sort(self.run.completion_s), times_s, side="right")
        return np.asarray(np.searchsorted(self.run.arrival_s, times_s, side="right") - done, dtype=float)


def replay(
    log: RequestLog, entry: Hardware, settings: EngineSettings, wrap: Callable[[Batcher], Batcher] | None = None
) -> Replay:
    """Simulate the requests of `log` on a server with `settings`; no randomness is involved.

    Parameters
    ----------
    log : RequestLog
        The requests.
    entry : Hardware
        The device.
    settings : EngineSettings
        How the engine was started.
    wrap : callable, optional
        Makes another batcher of the engine's; None leaves it.

    Raises
    ------
    InputError
        When a request exceeds the KV memory.
    """
    policy = settings.policy()
    fleet = settings.fleet(entry)
    recorder = Recorder(policy.batch if wrap is None else wrap(policy.batch), fleet.size)
    run = simulate(log.workload, fleet, replace(policy, batch=recorder))
    return Replay(log, run, recorder, outside(entry, recorder.reach))
