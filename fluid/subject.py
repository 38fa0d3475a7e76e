"""What a bound was derived from, as a short string that a measured value must share."""

from __future__ import annotations

import hashlib

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.workloads import Workload


def subject(workload: Workload, fleet: Fleet) -> str:
    """Identify a sample path on a fleet: equal strings mean equal columns, service model and limits.

    A run of a policy and a bound may be compared only when their subjects agree. The workload's name, its
    class labels and its notices do not matter; arrival times, lengths, the service model's coefficients,
    KV capacity, block size, batch limit, retention of KV and fleet size do. Costs one pass over the columns (about
    20 ms for a million requests).

    Parameters
    ----------
    workload : Workload
        The sample path.
    fleet : Fleet
        What serves it.

    Returns
    -------
    str
        ``"<n> requests <digest> on <fleet name> <digest>"``.

    Raises
    ------
    InputError
        As `require_bounded` does.
    """
    require_bounded(workload, fleet)
    return identity(workload, fleet)


def require_bounded(
    workload: Workload, fleet: Fleet, remedy: str = "set keeps_prefixes to false, or leave the bounds out"
) -> None:
    """Refuse a path and a fleet for which no bound is proved.

    Raises
    ------
    InputError
        When prompts may skip what others have processed (`Hardware.keeps_prefixes` with `Workload.prefix_blocks`).
    """
    if workload.prefix_blocks is not None and (sharing := _sharing(fleet)):
        raise InputError(
            f"no bound holds on {sharing}, which keeps prefixes, for workload {workload.name!r}, whose prompts share "
            f"them: they skip work that every bound counts; {remedy}"
        )


def identity(workload: Workload, fleet: Fleet) -> str:
    """`subject`, also for what no bound is proved for."""
    path = hashlib.blake2b(digest_size=8)
    for column in (workload.arrival_s, workload.input_tokens, workload.output_tokens):
        path.update(column.tobytes())
    return f"{len(workload)} requests {path.hexdigest()} on {fleet_subject(fleet)}"


def fleet_subject(fleet: Fleet) -> str:
    """Identify a fleet: its name and a digest of everything that decides iteration times and limits."""
    kinds = [(kind.hardware, kind.size) for kind in fleet.by_hardware()]
    facts = [
        (hw.service, hw.kv_capacity_tokens, hw.max_num_seqs, hw.block_tokens, hw.keeps_preempted_kv, size)
        for hw, size in kinds
    ]
    digest = hashlib.blake2b(repr(facts[0] if len(facts) == 1 else facts).encode(), digest_size=4)
    return f"{fleet.name} {digest.hexdigest()}"


def _sharing(fleet: Fleet) -> str | None:
    """Name of the fleet's first hardware that keeps prefixes."""
    return next((kind.hardware.name for kind in fleet.by_hardware() if kind.hardware.keeps_prefixes), None)
