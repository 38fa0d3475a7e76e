"""A published inequality as something that runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from orsched.errors import InputError
from proofs_check.rules import Always, Exhaustive, Finding, Instance, Rule

Sampler = Callable[[np.random.Generator], Instance]
Cases = Callable[[], Iterable[Instance]]
Outcome = Literal["holds", "refuted", "fails"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A published statement, the domain it is drawn from, and its inequality.

    Parameters
    ----------
    name : str
        Identifier; claims of one paper share their first words (``orsched check FIRST-WORDS`` runs them).
    statement : str
        The inequality in one line.
    source : str
        Paper and place.
    sample : callable
        ``sample(rng) -> instance``: draws one instance of the statement's domain (or one path of its process), a short
        mapping of plain numbers, texts and lists, which a report can print. None with `cases`.
    inequality : callable
        ``inequality(instance) -> slack``: right minus left side; the rule says what it has to satisfy. NaN counts as
        minus infinity: what cannot be computed does not hold.
    rule : Rule
        How slacks become a verdict: on every instance, on average, near a value, at most so often, in one experiment.
    known_false : bool
        Whether the printed statement is known to be wrong; then a violation makes the verdict ``refuted``, and finding
        none makes it ``fails``.
    quick_sample : callable, optional
        Draws smaller instances, for quick checks.
    cases : callable, optional
        ``cases() -> iterable of instances``: all there are, in place of samples, for the rule `Exhaustive`.

    Raises
    ------
    InputError
        Unless there is either a sampler or, with the rule `Exhaustive`, cases.
    """

    name: str
    statement: str
    source: str
    sample: Sampler | None
    inequality: Callable[[Instance], float]
    rule: Rule = Always()  # noqa: RUF009 - frozen
    known_false: bool = False
    quick_sample: Sampler | None = None
    cases: Cases | None = None

    def __post_init__(self) -> None:
        if (self.sample is None) == (self.cases is None) or isinstance(self.rule, Exhaustive) != (self.sample is None):
            raise InputError(f"claim {self.name!r}: needs either sample, or cases and the rule Exhaustive")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    Parameters
    ----------
    outcome : {"holds", "refuted", "fails"}
        ``holds``: the rule found the statement true; ``refuted``: it is known to be false, and was found false;
        ``fails``: neither, undecided included.
    slack : float
        The rule's slack: the smallest one met, or the distance of an estimate from its limit; negative when violated.
    witness : mapping
        The instance behind the slack, or the estimate.
    instances : int
        How many were drawn.
    confidence : float
        Probability with which the rule would have caught a false statement; the rule says which ones. A sampled
        check is evidence, not a proof.
    """

    outcome: Outcome
    slack: float
    witness: Instance
    instances: int
    confidence: float

    @property
    def holds(self) -> bool:
        """Whether the statement was found true."""
        return self.outcome == "holds"


def check(claim: Claim, seed: int = 0, quick: bool = False) -> Verdict:
    """Draw instances until the claim's rule decides; deterministic for a seed (a whole number >= 0).

    Parameters
    ----------
    claim : Claim
        What to check.
    seed : int
        Seed; each claim has a stream of its own.
    quick : bool
        Draw fewer and smaller instances.
    """
    if isinstance(seed, bool) or seed < 0:
        raise InputError(f"seed = {seed}: must be a whole number >= 0")
    rng = np.random.default_rng(np.random.SeedSequence([seed, *claim.name.encode()]))
    finding = claim.rule.decide(_draws(claim, rng, quick), quick)
    slack = finding.slack + 0.0  # no minus zero
    return Verdict(_outcome(claim, finding), slack, finding.witness, finding.instances, finding.confidence)


def _draws(claim: Claim, rng: np.random.Generator, quick: bool) -> Iterator[tuple[float, Instance]]:
    for instance in _instances(claim, rng, quick):
        slack = float(claim.inequality(instance))
        yield -math.inf if math.isnan(slack) else slack, instance


def _instances(claim: Claim, rng: np.random.Generator, quick: bool) -> Iterable[Instance]:
    if claim.cases is not None:
        return claim.cases()
    sample = claim.quick_sample if quick and claim.quick_sample is not None else claim.sample
    assert sample is not None, "a claim has a sampler or cases"
    return (sample(rng) for _ in count())


def _outcome(claim: Claim, finding: Finding) -> Outcome:
    if finding.true is None or finding.true == claim.known_false:
        return "fails"
    return "refuted" if claim.known_false else "holds"
