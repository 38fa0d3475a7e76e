"""How the slacks of drawn instances become a verdict."""

from proofs_check.rules.always import Always, Exhaustive, Once
from proofs_check.rules.average import OnAverage
from proofs_check.rules.each import Each
from proofs_check.rules.near import Near
from proofs_check.rules.rarely import Rarely
from proofs_check.rules.rule import Draws, Finding, Instance, Rule

__all__ = [
    "Always",
    "Draws",
    "Each",
    "Exhaustive",
    "Finding",
    "Instance",
    "Near",
    "OnAverage",
    "Once",
    "Rarely",
    "Rule",
]
