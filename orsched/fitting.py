"""Which requests every instance can hold to their end; a policy may send the others to where they cannot complete."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from orsched.catalogue import Hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.workloads.workload import Workload


def usable_tokens(hardware: Hardware) -> int:
    """KV tokens in whole blocks: what one request can hold at most."""
    return hardware.kv_capacity_tokens // hardware.block_tokens * hardware.block_tokens


DROP = "drop such requests (--drop-oversized, drop_oversized=True in Python)"
"""What to do about requests that some instance cannot hold, in commands and calls."""

DROP_IN_FILE = "drop such requests (drop_oversized = true in the workload's table)"
"""The same in a specification."""


def require_fit(workload: Workload, fleet: Fleet, remedy: str = DROP) -> None:
    """Refuse a workload with a request that some instance cannot hold until its end.

    Parameters
    ----------
    workload : Workload
        The requests.
    fleet : Fleet
        What should serve them.
    remedy : str
        What the caller can do about it, for the message.

    Raises
    ------
    InputError
        Naming the first such request and what to do.
    """
    fits = _fits(workload, fleet)
    if not fits.all():
        row = int(np.argmin(fits))
        smallest = _smallest(fleet)
        inputs, outputs = workload.input_tokens[row], workload.output_tokens[row]
        peak = inputs + outputs - 1
        elsewhere = any(peak <= usable_tokens(group.hardware) for group in fleet.groups)
        why = "a request may end up on any instance" if elsewhere else "no policy completes it"
        raise InputError(
            f"request {row} of {workload.name!r} (prompt {inputs}, output {outputs}) ends with {peak} KV tokens, an "
            f"instance of {smallest.name} holds {usable_tokens(smallest)}: {why}; {remedy} "
            "or use hardware with more KV memory"
        )


def drop_oversized(workload: Workload, fleet: Fleet) -> Workload:
    """The workload without the requests that some instance cannot hold, with a notice that says how many.

    The others keep their arrival times.

    Raises
    ------
    InputError
        When none is left.
    """
    fits = _fits(workload, fleet)
    if fits.all():
        return workload
    if not fits.any():
        require_fit(workload, fleet)
    rows = np.flatnonzero(fits)
    kept = workload.take(rows, workload.arrival_s[rows])
    longest = int((kept.input_tokens + kept.output_tokens).max())
    dropped = f"dropped {len(fits) - len(rows)} of {len(fits)} requests larger than the KV memory"
    return replace(kept, notices=(*workload.notices, dropped), context_tokens=longest)


def _fits(workload: Workload, fleet: Fleet) -> NDArray[np.bool_]:
    peak = workload.input_tokens + workload.output_tokens - 1
    return np.asarray(peak <= usable_tokens(_smallest(fleet)))


def _smallest(fleet: Fleet) -> Hardware:
    """The hardware with the least KV memory: a request may end up on any instance."""
    return min((group.hardware for group in fleet.groups), key=usable_tokens)
