"""MC-Benchmark (arXiv 2502.07115): the memory check of MC-SF, first come first served."""

from __future__ import annotations

from orsched.policy import Information, Policy
from policies.parts.memory_constrained import MemoryConstrained
from policies.recipe import fixed


def mc_benchmark(max_num_seqs: int = 256) -> Policy:
    """MC-Benchmark with the true output lengths as predictions.

    Notes
    -----
    The name and the rule, the check of MC-SF with requests scanned by arrival, are known to us at second hand. Rounds,
    prompts and the limit on running requests: as in `policies.mc_sf`.
    """
    return Policy("mc-benchmark", MemoryConstrained(max_num_seqs), information=Information.ORACLE)


RECIPES = (fixed(mc_benchmark, "MC-Benchmark: first come first served with the memory check of MC-SF, oracle lengths"),)
