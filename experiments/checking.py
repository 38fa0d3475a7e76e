"""Check claims in parallel processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check import Claim, Verdict, check, get_claim

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("name", "verdict", "slack", "instances", "confidence", "seconds", "source", "statement", "witness")
"""Columns of `checked_frame`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim, its verdict, and what that took.

    Parameters
    ----------
    claim : Claim
        What was checked.
    verdict : Verdict
        What was found.
    seconds : float
        Wall time.
    """

    claim: Claim
    verdict: Verdict
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; numbers that are not finite are null."""
        verdict = self.verdict
        return {
            "name": self.claim.name,
            "statement": self.claim.statement,
            "source": self.claim.source,
            "verdict": verdict.outcome,
            "slack": plain(verdict.slack),
            "witness": plain(verdict.witness),
            "instances": verdict.instances,
            "confidence": verdict.confidence,
            "seconds": self.seconds,
        }


def checked_frame(checked: Sequence[Checked]) -> pd.DataFrame:
    """One row per claim.

    Columns: name; verdict (``holds``, ``refuted`` as expected, or ``fails``); slack of the tightest instance, as the
    claim defines it; instances, how many were checked; confidence, where the verdict is statistical; seconds of wall
    time; source, statement; witness, the tightest instance as plain values.
    """
    import pandas as pd

    frame = pd.DataFrame([each.to_json() for each in checked], columns=list(COLUMNS))
    return frame.astype({"slack": "float64", "confidence": "float64"})


def check_claims(
    claims: Sequence[Claim],
    *,
    seed: int = 0,
    quick: bool = False,
    workers: int | None = None,
    on_done: Callable[[], None] = lambda: None,
) -> list[Checked]:
    """Check claims; the verdicts do not depend on the number of workers.

    Parameters
    ----------
    claims : sequence of Claim
        What to check; with several workers, those of the registry.
    seed : int
        Seed; each claim has a stream of its own.
    quick : bool
        Draw fewer and smaller instances.
    workers : int, optional
        Processes; None: as many as there are cores and claims.
    on_done : callable
        Called after each claim.

    Returns
    -------
    list of Checked
        In the order of `claims`.
    """
    from joblib import cpu_count

    processes = min(workers or int(cpu_count()), len(claims))
    found: dict[str, Checked] = {}
    for name, verdict, seconds in _verdicts(claims, seed, quick, processes):
        found[name] = Checked(next(claim for claim in claims if claim.name == name), verdict, seconds)
        on_done()
    return [found[claim.name] for claim in claims]


def _verdicts(claims: Sequence[Claim], seed: int, quick: bool, processes: int) -> Iterator[tuple[str, Verdict, float]]:
    if processes <= 1:
        yield from (_timed(claim, seed, quick) for claim in claims)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=processes, return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(_by_name)(claim.name, seed, quick) for claim in claims)


def _by_name(name: str, seed: int, quick: bool) -> tuple[str, Verdict, float]:
    """Functions of claims do not travel between processes, names do."""
    return _timed(get_claim(name), seed, quick)


def _timed(claim: Claim, seed: int, quick: bool) -> tuple[str, Verdict, float]:
    begin = time.perf_counter()
    verdict = check(claim, seed, quick)
    return claim.name, verdict, time.perf_counter() - begin


def plain(value: Any) -> Any:
    """The value in JSON's terms; what is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value
