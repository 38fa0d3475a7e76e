"""The policies that are compared: how each is built, on which fleet, and the four settings each is tuned over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from experiments.reproductions.polyserve.fleets import Arrangement, alike, by_tier, pooled
from experiments.reproductions.polyserve.setting import DEVICE, FIXED, OURS, Sweep
from orsched.catalogue import hardware
from orsched.fleet import Fleet
from orsched.policy import Placer, Policy, Router, least_kv_decoder
from policies.distserve import least_busy_decode
from policies.fleet_systems import fleet_system
from policies.registry import get_router
from policies.routers import ClassPartition
from policies.sarathi import sarathi
from policies.vllm_v1 import vllm_v1

Choice = Mapping[str, Any]
Build = Callable[[Sweep, Fleet, Choice], Policy]

BUDGETS = tuple({"budget": tokens} for tokens in (256, 512, 1024, 2048))
PREFILL_BUDGETS = tuple({"budget": tokens} for tokens in (1024, 2048, 4096, 8192))
LEAST_CHUNKS = tuple({"least_chunk_tokens": tokens} for tokens in (32, 64, 128, 256))
OF_POLYSERVE = tuple(
    {"least_chunk_tokens": tokens, "promotion_order": order}
    for tokens in (32, 128)
    for order in ("tightest", "nearest")
)
PREFILL_BATCHES = tuple({"prefill_batch_tokens": tokens} for tokens in (1024, 2048, 4096, 8192))


@dataclass(frozen=True, slots=True)
class Family:
    """A policy with its tuning settings.

    Parameters
    ----------
    name : str
        As in a sweep.
    arrange : callable
        The fleet that it needs, of the sweep's instances.
    build : callable
        ``build(sweep, fleet, choice) -> Policy``.
    choices : tuple of mapping
        What it is tuned over; as many for everyone.
    """

    name: str
    arrange: Arrangement
    build: Build
    choices: tuple[Choice, ...]

    def set_up(self, sweep: Sweep, choice: Choice) -> tuple[Fleet, Policy]:
        """Fleet and policy for one choice; raises InputError when it cannot run there."""
        fleet = self.arrange(sweep)
        return fleet, self.build(sweep, fleet, choice)


def family(sweep: Sweep, name: str) -> Family:
    """Look a family up, as it is in a sweep."""
    if name == OURS:
        return Family(name, pooled, _system(OURS), PREFILL_BATCHES if sweep.prefills else OF_POLYSERVE)
    if name == FIXED:
        return Family(name, alike, _system(FIXED), LEAST_CHUNKS)
    if name in ABLATIONS:
        changes, arrange = ABLATIONS[name]
        return Family(name, arrange, _system(OURS), (changes,))
    batcher, _, routing = name.partition("/")
    arrange = by_tier if routing.endswith("partition") else alike
    if batcher == "tier-chunks":
        return Family(name, arrange, _routed(_batches_of_polyserve, routing), LEAST_CHUNKS)
    made = {"vllm-v1": _vllm_v1, "sarathi": _sarathi}[batcher]
    return Family(name, arrange, _routed(made, routing), PREFILL_BUDGETS if sweep.prefills else BUDGETS)


ABLATIONS: Mapping[str, tuple[Choice, Arrangement]] = MappingProxyType(
    {
        "defaults": ({}, pooled),
        "promotion: none": ({"promotion": "none"}, pooled),
        "promotion: eager": ({"promotion": "eager"}, pooled),
        "order: least loaded": ({"order": "least-loaded"}, pooled),
        "KV test: off": ({"kv_test": False}, pooled),
        "scaling: off": ({"scaling": False}, by_tier),
    }
)
"""PolyServe with one part changed, the first with none; untuned."""


def _system(name: str) -> Build:
    def build(sweep: Sweep, fleet: Fleet, choice: Choice) -> Policy:
        system = fleet_system(name)
        return system.build(sweep.whole, fleet, system.settings(**choice))

    return build


def _vllm_v1(sweep: Sweep, fleet: Fleet, choice: Choice) -> Policy:
    return vllm_v1(choice["budget"], hardware(DEVICE).max_num_seqs)


def _sarathi(sweep: Sweep, fleet: Fleet, choice: Choice) -> Policy:
    return sarathi(choice["budget"], hardware(DEVICE).max_num_seqs)


def _batches_of_polyserve(sweep: Sweep, fleet: Fleet, choice: Choice) -> Policy:
    """PolyServe's batcher without anything else of it; an instance without a tier keeps the tightest TPOT."""
    batch = _system(OURS)(sweep, pooled(sweep), choice).batch
    return Policy("tier-chunks", batch)


def _routed(make: Build, routing: str) -> Build:
    """A batcher behind ``ROUTER``, or ``ROUTER>PLACER`` where prompts run apart; `partition`: jsq within the tier."""
    first, _, second = routing.partition(">")

    def build(sweep: Sweep, fleet: Fleet, choice: Choice) -> Policy:
        partition = ClassPartition(get_router("jsq"), tuple(tier.name for tier in sweep.tiers))
        route: Router = partition if first == "partition" else get_router(first)
        placers: Mapping[str, Placer] = {
            "partition": partition.place,
            "jsq": least_busy_decode,
            "least-kv": least_kv_decoder,
        }
        policy = replace(make(sweep, fleet, choice), route=route)
        return replace(policy, place=placers[second]) if second else policy

    return build
