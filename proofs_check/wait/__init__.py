"""WAIT and Nested WAIT (Ao, Luo, Simchi-Levi, Wang; arXiv 2504.11320): one file per theorem or step of a proof."""

from proofs_check.wait import (
    backlog,
    coupling,
    delay_bound,
    fcfs,
    fluid,
    invariant,
    nested_memory,
    nested_runs,
    rates,
    theta,
    throughput,
)

CLAIMS = (
    *fluid.CLAIMS,
    *invariant.CLAIMS,
    *coupling.CLAIMS,
    *backlog.CLAIMS,
    *rates.CLAIMS,
    *throughput.CLAIMS,
    *fcfs.CLAIMS,
    *delay_bound.CLAIMS,
    *theta.CLAIMS,
    *nested_memory.CLAIMS,
    *nested_runs.CLAIMS,
)
"""In the order of the paper."""
