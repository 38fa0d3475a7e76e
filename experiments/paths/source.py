"""Where an experiment's sample paths come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orsched.catalogue import Hardware
from orsched.checks import shown
from orsched.errors import InputError
from orsched.fitting import drop_oversized, require_fit
from orsched.fleet import Fleet
from orsched.valid_range import possible_extrapolation
from orsched.workloads import Workload
from orsched.workloads.sources import TraceSource, WorkloadSource

WorkloadLike = str | Path | Workload | WorkloadSource
"""A catalogue name, the path of a file, requests to resample, or a source of your own."""


def source_of(workload: WorkloadLike) -> WorkloadSource:
    """Find the source of sample paths that `workload` means.

    Raises
    ------
    UnknownNameError
        For an unknown name; the message suggests the nearest.
    InputError
        When a file cannot be used, or it is none of these.
    """
    if isinstance(workload, Workload):
        return TraceSource(workload, "requests given")
    if isinstance(workload, str | Path):
        from orsched.workloads.catalogue import workload_source  # here: it reads files with pandas

        return workload_source(str(workload))
    if not (hasattr(workload, "draw") and hasattr(workload, "whole")):
        raise InputError(f"workload = {shown(workload)}: must be a name, a file, a Workload or a WorkloadSource")
    return workload


def source_for(workload: WorkloadLike, fleet: Fleet, drop: bool) -> WorkloadSource:
    """The source that `workload` means, without the requests too large for `fleet` if they are to be dropped."""
    source = source_of(workload)
    return without_oversized(source, fleet) if drop else source


def without_oversized(source: WorkloadSource, fleet: Fleet) -> WorkloadSource:
    """The trace without the requests that no instance of `fleet` can hold.

    Raises
    ------
    InputError
        When none is left, or for a synthetic source: its law decides, so shorten that.
    """
    if isinstance(source, TraceSource):
        return replace(source, trace=drop_oversized(source.trace, fleet))
    require_fit(source.whole(), fleet, "shorten the lengths of its law")
    return source


def fleet_notices(source: WorkloadSource, requests: int, fleet: Fleet) -> tuple[str, ...]:
    """The notices of `notices_of` for each kind of hardware of a fleet, each once."""
    found = [notice for kind in fleet.by_hardware() for notice in notices_of(source, requests, kind.hardware)]
    return tuple(dict.fromkeys(found))


def notices_of(source: WorkloadSource, requests: int, hardware: Hardware) -> tuple[str, ...]:
    """Say what was changed in the source, whether paths are longer than its trace, where the device may extrapolate."""
    whole = source.whole()
    notices = list(whole.notices)
    if isinstance(source, TraceSource) and requests > len(whole):
        notices.append(f"each path of {requests} requests joins several blocks of the {len(whole)} in {source.name!r}")
    notices += [f"a full instance may see {sentence}" for sentence in possible_extrapolation(hardware, whole)]
    return tuple(notices)
