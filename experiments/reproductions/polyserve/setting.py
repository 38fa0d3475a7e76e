"""What is run for PolyServe: tiers, lengths, fleets, loads; all of them ours or a third party's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

import fluid
from experiments.reproductions.polyserve.mixes import EVEN, InTurn, Mix
from orsched.catalogue import hardware
from orsched.fleet import Fleet
from orsched.request import SLO, RequestClass
from orsched.workloads import Workload
from orsched.workloads.arrivals import ArrivalProcess, Poisson
from orsched.workloads.sources import SyntheticSource
from orsched.workloads.traces import bundled_lengths

TRACE = "azure-conv"
DEVICE = "llama3-8b/a100-80g"
LEVEL, STRICT = 0.9, 0.99
"""Shares of requests within their objective that a rate must keep to count as goodput."""

LOADS = tuple(round(0.30 + 0.05 * k, 2) for k in range(19))
"""Rates on which goodput is searched, relative to the fleet's capacity."""

TUNING_LOADS = (0.7, 0.85, 1.0)
SHOWN_LOAD = 0.9
"""A load that every policy is run at, to show who misses."""

THREE = tuple(RequestClass(f"{1000 * tpot_s:.0f}ms", SLO(2.0, tpot_s)) for tpot_s in (0.025, 0.05, 0.1))
TWO = tuple(RequestClass(f"{1000 * tpot_s:.0f}ms", SLO(6.0, tpot_s)) for tpot_s in (0.05, 0.1))

BASELINES = (
    "vllm-v1/jsq",
    "vllm-v1/least-kv",
    "vllm-v1/vllm-router",
    "vllm-v1/partition",
    "sarathi/jsq",
    "sarathi/partition",
)
SAME_BATCHES = ("tier-chunks/jsq", "tier-chunks/partition")
OURS, FIXED = "polyserve", "polyserve-fixed"
EVERY = (*BASELINES, *SAME_BATCHES, FIXED, OURS)
FEWER = ("sarathi/jsq", "sarathi/partition", *SAME_BATCHES, OURS)
APART = ("vllm-v1/jsq>jsq", "vllm-v1/jsq>least-kv", "vllm-v1/token-jsq>least-kv", "vllm-v1/jsq>partition", OURS)

SHARING = ("defaults", "promotion: none", "promotion: eager", "scaling: off")
CHANGED = (*SHARING, "order: least loaded", "KV test: off")
"""PolyServe as it is and with a part changed."""

TURNS = InTurn(1_000, 2 / 3)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One experiment: every family's goodput.

    Parameters
    ----------
    name, title : str
        Short name for cells; heading on the page.
    tiers : tuple of RequestClass
        With their objectives.
    families : tuple of str
        Of `experiments.reproductions.polyserve.families`; the last one is what the others are compared with.
    instances, prefills : int
        In all, and those of them that only process prompts; 0: every one does everything.
    mix : Mix
        Which tier each request belongs to.
    requests, replications, tuning_requests : int
        On a path; paths; on the one path that settings are chosen on.
    ablations : tuple of str
        Changed parts of PolyServe, of the same.
    """

    name: str
    title: str
    tiers: tuple[RequestClass, ...]
    families: tuple[str, ...]
    instances: int = 16
    prefills: int = 0
    mix: Mix = EVEN
    requests: int = 8_000
    replications: int = 4
    tuning_requests: int = 4_000
    ablations: tuple[str, ...] = ()

    @property
    def whole(self) -> Workload:
        """What policies are built for: the trace's lengths, the tiers in equal shares, no sample path."""
        return labelled(law().whole(), self.tiers, EVEN, np.random.default_rng(1))

    @property
    def capacity_per_s(self) -> float:
        """Most requests per second that the fleet sustains without objectives, by the planning programme: load 1."""
        return capacity_per_s(self.instances)

    def path(self, load: float, requests: int, rng: np.random.Generator) -> Workload:
        """Draw Poisson arrivals at a load; the same numbers at every load, scaled in time."""
        return self.path_of(Poisson(load * self.capacity_per_s), requests, rng)

    def path_of(self, arrivals: ArrivalProcess, requests: int, rng: np.random.Generator) -> Workload:
        """Draw a path: arrivals, lengths and tiers have streams of their own."""
        for_path, for_tiers = rng.spawn(2)
        path = replace(law(), arrivals=arrivals).draw(requests, for_path)
        return labelled(path, self.tiers, self.mix, for_tiers)


def sweeps(quick: bool) -> tuple[Sweep, ...]:
    """All of them; `quick` keeps two, with few policies and short paths."""
    full = (
        Sweep(
            "three-tiers", "Three tiers, co-located", THREE, (*BASELINES, *SAME_BATCHES, FIXED, OURS), ablations=CHANGED
        ),
        Sweep("rotating", "Three tiers, each favoured in turn, co-located", THREE, FEWER, mix=TURNS, ablations=SHARING),
        Sweep("two-tiers", "Two tiers, QoServe's comparison, co-located", TWO, FEWER, instances=8, requests=10_000),
        Sweep("split-10-6", "Three tiers, 10 prefill and 6 decode instances", THREE, APART, prefills=10),
        Sweep("split-11-5", "Three tiers, 11 prefill and 5 decode instances", THREE, APART, prefills=11),
    )
    if not quick:
        return full
    together = replace(full[0], families=("sarathi/jsq", "tier-chunks/partition", FIXED, OURS))
    apart = Sweep("split-2-4", "Three tiers, 2 prefill and 4 decode instances", THREE, (APART[0], OURS), prefills=2)
    small = (together, apart)
    return tuple(replace(one, instances=6, requests=300, replications=2, tuning_requests=100) for one in small)


@cache
def law() -> SyntheticSource:
    """Lengths of the trace, drawn with replacement; one class, which `labelled` replaces."""
    return SyntheticSource(TRACE, "lengths of the trace, with replacement", Poisson(1.0), bundled_lengths(TRACE))


def labelled(path: Workload, tiers: tuple[RequestClass, ...], mix: Mix, rng: np.random.Generator) -> Workload:
    """The path with a tier drawn for every request."""
    ids = mix(len(path), len(tiers), rng)
    ids.setflags(write=False)
    return replace(path, class_id=ids, classes=tiers)


@cache
def capacity_per_s(instances: int) -> float:
    """Most requests per second that as many instances sustain which do everything."""
    return fluid.capacity(law().whole(), Fleet.identical(hardware(DEVICE), instances)).max_rate_per_s
