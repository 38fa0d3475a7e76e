"""Theorems as executable claims: domain sampler, inequality, verdict with slack and witness."""

from proofs_check.claim import Claim, Verdict, check
from proofs_check.registry import CLAIMS, claims_named, get_claim

__all__ = ["CLAIMS", "Claim", "Verdict", "check", "claims_named", "get_claim"]
