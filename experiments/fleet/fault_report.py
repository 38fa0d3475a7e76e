"""What may break in an experiment, in words and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orsched.faults import Fault, InstanceFault, LinkFault, StartUpFault
from orsched.faults_schedule import FaultSchedule

_WORDS = {InstanceFault: "instance", LinkFault: "link", StartUpFault: "start_up"}


def described(faults: Sequence[Fault], schedule: FaultSchedule | None, seed: int) -> str:
    """One line: how many faults of each kind are listed, and the law of those that are drawn."""
    counts = Counter(_WORDS[type(fault)] for fault in faults)
    parts = [f"{count:,} {kind.replace('_', '-')} fault{'s' * (count > 1)} listed" for kind, count in counts.items()]
    if schedule is not None:
        laws = {"instance": schedule.instances, "link": schedule.links}
        parts += [
            f"drawn for every {kind}: {law.mean_between_s:g} s after the last repair, for {law.mean_repair_s:g} s, "
            f"both on average, until {schedule.horizon_s:g} s (seed {seed})"
            for kind, law in laws.items()
            if law is not None
        ]
        if (between_s := schedule.start_up_mean_between_s) is not None:
            parts.append(
                f"drawn for every instance: a start-up fault {between_s:g} s after the last one on average, until "
                f"{schedule.horizon_s:g} s (seed {seed})"
            )
    return "; ".join(parts)


def fault_document(faults: Sequence[Fault], schedule: FaultSchedule | None, seed: int) -> dict[str, Any]:
    """The listed faults, each with its kind and fields, and the law of the drawn ones, with its seed, or None."""
    listed = [{"kind": _WORDS[type(fault)], **asdict(fault)} for fault in faults]
    return {"listed": listed, "random": None if schedule is None else {**asdict(schedule), "seed": seed}}
