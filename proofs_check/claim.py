"""A published inequality as something that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from orsched.errors import InputError

Instance = Mapping[str, Any]
Outcome = Literal["holds", "refuted", "fails"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of the form "for every instance, slack >= 0".

    Parameters
    ----------
    name : str
        Identifier.
    statement : str
        The inequality in one line.
    source : str
        Paper and place.
    sample : callable
        ``sample(rng) -> instance``: draws one instance of the statement's domain.
    slack : callable
        ``slack(instance) -> float``: right minus left side; the claim holds on the instance when it is not
        below ``-tolerance``.
    tolerance : float
        Rounding allowance, in the unit of the slack.
    known_false : bool
        Whether the printed statement is known to be wrong; a witness then makes the verdict ``refuted``, and finding
        none makes it ``fails``.
    instances : int
        How many to draw in a full check.
    """

    name: str
    statement: str
    source: str
    sample: Callable[[np.random.Generator], Instance]
    slack: Callable[[Instance], float]
    tolerance: float = 1e-9
    known_false: bool = False
    instances: int = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    Parameters
    ----------
    outcome : {"holds", "refuted", "fails"}
        ``holds`` on every instance drawn; ``refuted``: known to be false, and a witness was found; ``fails``: neither.
    slack : float
        Smallest slack met.
    witness : mapping
        The instance with that slack.
    instances : int
        How many were drawn. A sampled check is evidence, not a proof.
    """

    outcome: Outcome
    slack: float
    witness: Instance
    instances: int


def check(claim: Claim, seed: int = 0, instances: int | None = None) -> Verdict:
    """Draw instances and report the tightest; deterministic for a seed (a whole number >= 0)."""
    if seed < 0:
        raise InputError(f"seed = {seed}: must be >= 0")
    rng = np.random.default_rng(np.random.SeedSequence([seed, *claim.name.encode()]))
    count = claim.instances if instances is None else instances
    tightest: tuple[float, Instance] | None = None
    for _ in range(count):
        instance = claim.sample(rng)
        slack = claim.slack(instance)
        if tightest is None or not slack >= tightest[0]:
            tightest = (slack, instance)
    assert tightest is not None, "a check needs at least one instance"
    slack, witness = tightest
    true_on_all = slack >= -claim.tolerance
    expected: Outcome = "refuted" if claim.known_false else "holds"
    outcome = expected if true_on_all != claim.known_false else "fails"
    return Verdict(outcome, slack, witness, count)
