"""Theorems as executable claims: domain sampler, inequality, verdict with slack and witness."""

from proofs_check.claim import Claim, Verdict, check
from proofs_check.registry import CLAIMS, get_claim

__all__ = ["CLAIMS", "Claim", "Verdict", "check", "get_claim"]
