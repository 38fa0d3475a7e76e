"""The check on every run: nothing is lost, nothing is served twice, no token is missing."""

from __future__ import annotations

import numpy as np

from orsched.errors import MismatchError
from orsched.run import Run
from orsched.scoring import horizon_s

CLOCK = 1e-9
"""Relative rounding allowed when seconds are added up in another order."""


def require_conserved(run: Run) -> None:
    """Check a run of `simulate(..., token_gaps=True)`.

    Every request has completed once or was turned away; the tokens that were emitted are those that were asked for;
    counts of requests agree with the log of events, and instances were on for as long as the log says.

    A request that was turned away after its instance had died may have emitted tokens before: some, fewer than it asked
    for. Where there are such requests the number of tokens is checked to be in between.

    Raises
    ------
    MismatchError
        Naming what does not add up: the simulation or the policy's record of it is wrong.
    """
    completed, rejected = np.isfinite(run.completion_s), run.rejected > 0
    _require(run, "requests completed or rejected, not both", len(run), int((completed ^ rejected).sum()))
    _require(run, "rejected requests with a first token", 0, int((rejected & np.isfinite(run.first_token_s)).sum()))
    out_of_order = completed & ~((run.arrival_s <= run.first_token_s) & (run.first_token_s <= run.completion_s))
    _require(run, "requests completed before their first token or arrival", 0, int(out_of_order.sum()))
    assert run.token_gaps is not None, "simulate(..., token_gaps=True) counts the tokens"
    emitted = run.token_gaps.tokens + int(completed.sum())
    asked_for = int(run.output_tokens[completed].sum())
    lost = int((run.output_tokens - 1)[rejected & (run.restarts > 0)].sum())
    _require(run, "output tokens", asked_for, emitted, most=asked_for + lost)
    log = run.log
    assert log is not None
    _require(run, "rejections in the log", int(run.rejected.sum()), log.count("rejected"))
    _require(run, "restarts in the log", int(run.restarts.sum()), log.count("restarted"))
    _require(run, "migrations in the log", int(run.migrations.sum()), log.count("migrated"))
    first_s = float(run.arrival_s[0])
    last_s = first_s + horizon_s(run)
    logged_s, counted_s = log.instances_on().integral(first_s, last_s), float(run.on_s.sum())
    if abs(logged_s - counted_s) > CLOCK * max(last_s * log.size, 1.0):
        raise MismatchError(
            f"{run.policy} on {run.fleet}: instances were on for {counted_s} s, by the log {logged_s} s"
        )


def _require(run: Run, what: str, expected: int, found: int, *, most: int | None = None) -> None:
    """Refuse a number that is not the expected one, or not from it to `most`."""
    if not expected <= found <= (expected if most is None else most):
        raise MismatchError(
            f"{run.policy} on {run.fleet}: {what}: {found:,}, expected {expected:,}; the simulation is wrong, please "
            "report it"
        )
