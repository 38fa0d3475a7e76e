"""Where a run leaves the range that a hardware entry was calibrated in."""

from __future__ import annotations

import math
from collections.abc import Mapping

from orsched.catalogue import Hardware
from orsched.service import Batch
from orsched.workloads.workload import Workload


def outside_range(hardware: Hardware, batch: Batch) -> tuple[str, ...]:
    """Say which fields of a batch the entry has not seen, one sentence each.

    Parameters
    ----------
    hardware : Hardware
        Its `valid_range`; empty: nothing is known and nothing is said.
    batch : Batch
        What an iteration works on.
    """
    reach = {name: (value, value) for name, value in batch._asdict().items()}
    return outside(hardware, reach)


def outside(hardware: Hardware, reach: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Say which batch fields were smaller or larger than the entry has seen.

    Parameters
    ----------
    hardware : Hardware
        The entry.
    reach : mapping of str to (float, float)
        Least and most of each field of `orsched.service.Batch` that occurred.
    """
    found = []
    for name, (low, high) in reach.items():
        least, most = hardware.valid_range.get(name, (-math.inf, math.inf))
        if low < least or high > most:
            seen = f"{low:,.0f}" if low == high else f"from {low:,.0f} to {high:,.0f}"
            known = f"from {least:,.0f} to {most:,.0f}"
            found.append(f"{name} {seen}: {hardware.name} was calibrated {known} and extrapolates beyond")
    return tuple(found)


def possible_extrapolation(hardware: Hardware, workload: Workload) -> tuple[str, ...]:
    """Say what could leave the range before anything is simulated: seats, KV memory and the longest prompt.

    A warning, not an error: a policy may never fill the seats, and chunked prefill splits prompts. Only the upper
    ends are compared: every run starts and ends with almost empty batches.

    Parameters
    ----------
    hardware : Hardware
        The entry; its seats and KV capacity are taken as what a full instance reaches.
    workload : Workload
        Its longest prompt is taken as what one iteration may have to process.
    """
    if not hardware.valid_range:
        return ()
    held = int((workload.input_tokens + workload.output_tokens - 1).sum())
    reached = {
        "num_seqs": float(min(hardware.max_num_seqs, len(workload))),
        "kv_tokens": float(min(hardware.kv_capacity_tokens, held)),
        "prompt_tokens": float(workload.input_tokens.max()),
    }
    reach = {
        name: (high, high)
        for name, high in reached.items()
        if high > hardware.valid_range.get(name, (0.0, math.inf))[1]
    }
    return outside(hardware, reach)
