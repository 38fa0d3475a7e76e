"""Time integrals of an instance: busy time, batch size and resident KV over time."""

from __future__ import annotations

from dataclasses import dataclass

from orsched.service import Batch, PiecewiseLinear


@dataclass(slots=True)
class Integrals:
    """Running integrals of one stream.

    Attributes
    ----------
    busy_s : float
        Time with an iteration in flight, seconds.
    batch_s : float
        Requests in the batch, integrated over time: request-seconds.
    kv_token_s : float
        Resident KV tokens (as at the end of each iteration), integrated over time: token-seconds.
    iterations : int
        Iterations run.
    """

    busy_s: float = 0.0
    batch_s: float = 0.0
    kv_token_s: float = 0.0
    iterations: int = 0

    def idle(self, from_s: float, to_s: float, resident: int) -> None:
        """Nothing ran between two times while `resident` KV tokens stayed cached."""
        self.kv_token_s += resident * (to_s - from_s)

    def iteration(self, duration_s: float, requests: int, resident: int, batch: Batch) -> None:
        """One iteration of `requests` requests that left `resident` KV tokens cached.

        What it worked on, `batch`, counts for energy only.
        """
        self.busy_s += duration_s
        self.batch_s += requests * duration_s
        self.kv_token_s += resident * duration_s
        self.iterations += 1

    def decode(self, curve: PiecewiseLinear, kv: float, seqs: int, steps: int, resident: int, kv_read: int) -> None:
        """`steps` decode iterations of `seqs` requests, from `resident` tokens cached.

        Iteration ``n = 0..steps-1`` lasts ``curve(kv + n seqs)``, reads ``kv_read + n seqs`` tokens, which counts for
        energy only, and ends with ``resident + (n + 1) seqs`` cached.
        """
        run, value, slope = curve.run_from(kv, seqs, steps)
        done = 0
        while True:
            pairs = 0.5 * run * (run - 1)
            duration = run * value + slope * pairs
            moment = pairs * (value + slope * (2 * run - 1) / 3)
            self.kv_token_s += (resident + (done + 1) * seqs) * duration + seqs * moment
            self.busy_s += duration
            self.batch_s += seqs * duration
            done += run
            if done == steps:
                break
            run, value, slope = curve.run_from(kv + done * seqs, seqs, steps - done)
        self.iterations += steps

    def energy_j(self, span_s: float) -> float | None:
        """Energy over `span_s` seconds, joules; None because no power law is known."""
        return None
