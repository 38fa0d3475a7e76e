"""Prefill and decode instances, the latter rescheduled by predicted load: ours, in place of ARES / STAR."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from types import MappingProxyType

from orsched.engine.pool import DECODERS
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Group, Role
from orsched.policy import Information, Placer, Policy, least_kv_decoder
from orsched.workloads import Workload
from policies.ares.lengths import RemainingLength, known, unknown
from policies.ares.migration_time import MigrationTime
from policies.ares.pairing import Pairing, all_pairs, extremes
from policies.ares.placing import LeastForecast, in_turn
from policies.ares.pool_forecast import Horizon
from policies.ares.rescheduler import Rescheduler
from policies.ares.settings import AresLikeSettings, Forecast, Pairs, Placement
from policies.llumnix import LlumnixSettings
from policies.parts.freeness import VirtualUsage
from policies.parts.rebalancing import Rebalancing, ShortestFirst
from policies.predictors.refreshed import Refreshed
from policies.registry import get_recipe, get_router
from policies.system import System, batcher_uses_lengths

PAIRINGS: Mapping[Pairs, Pairing] = MappingProxyType({"all": all_pairs, "extremes": extremes})

PLACERS: Mapping[Placement, Callable[[Horizon, RemainingLength], Placer]] = MappingProxyType(
    {
        "least-kv": lambda horizon, remaining: least_kv_decoder,
        "in-turn": lambda horizon, remaining: in_turn,
        "least-forecast": LeastForecast,
    }
)


def ares_like(workload: Workload, fleet: Fleet, settings: AresLikeSettings) -> Policy:
    """Build the system for a fleet with prefill and decode instances.

    Raises
    ------
    InputError
        When the fleet has no decode instances, they are of several kinds, or migrations cannot be timed.
    """
    decode = [group for group in fleet.instances() if group.role is Role.DECODE]
    service = _alike(decode)
    horizon, remaining = _outlook(workload, settings)
    built = get_recipe(settings.batcher).build(workload, fleet)
    policy = replace(
        built,
        name="ares-like",
        route=get_router(settings.router),
        place=PLACERS[settings.placement](horizon, remaining),
        settings={**built.settings, **asdict(settings), "horizon": horizon.ahead.tolist()},
    )
    if settings.forecast == "none":
        return policy
    if settings.forecast == "freeness":
        return replace(policy, control=llumnix_pass(), control_every_s=settings.period_s)
    rescheduler = Rescheduler(
        horizon,
        remaining,
        PAIRINGS[settings.pairs],
        MigrationTime.of(fleet, service.hardware.kv_bytes_per_token),
        len(decode) if settings.most_moves is None else settings.most_moves,
        settings.alpha,
        settings.margin,
    )
    return _informed(replace(policy, control=rescheduler, control_every_s=settings.period_s), settings.forecast)


def llumnix_pass() -> Rebalancing:
    """Llumnix's migrations with its default thresholds, among decode instances."""
    known = LlumnixSettings()
    return Rebalancing(VirtualUsage(), known.out_below, known.in_above, ShortestFirst(), pool=DECODERS)


def _alike(decode: list[Group]) -> Group:
    if not decode:
        raise InputError("the fleet has no decode instances: rescheduling needs groups of role 'prefill' and 'decode'")
    if any(group.hardware != decode[0].hardware for group in decode):
        raise InputError("the fleet's decode instances differ in hardware: their loads cannot be balanced in tokens")
    return decode[0]


def _outlook(workload: Workload, settings: AresLikeSettings) -> tuple[Horizon, RemainingLength]:
    """How far to look, and with which lengths."""
    if settings.forecast not in ("predicted", "oracle"):
        return Horizon(1, 1), unknown
    tokens = settings.horizon_tokens or float(workload.output_tokens.mean())
    return Horizon(max(1, math.ceil(tokens / settings.horizon_steps)), settings.horizon_steps, settings.gamma), known


def _informed(policy: Policy, forecast: Forecast) -> Policy:
    if forecast == "current":
        return policy
    informed = replace(policy, information=Information.ORACLE, predict=None)
    return informed if forecast == "oracle" else informed.predicted_by(Refreshed())


SYSTEMS = (
    System(
        "ares-like",
        "prefill and decode instances, the latter rescheduled by predicted load (ours, in place of ARES / STAR)",
        AresLikeSettings,
        ares_like,
        uses_lengths=lambda settings: settings.forecast in ("predicted", "oracle") or batcher_uses_lengths(settings),
    ),
)
