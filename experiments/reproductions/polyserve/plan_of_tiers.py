"""The other yardstick: a fluid plan in which each tier has servers of its own."""

from __future__ import annotations

from functools import cache

from experiments.reproductions.polyserve.setting import DEVICE, Sweep, law
from fluid import ClassRate
from fluid.demand import Rates
from fluid.fleets.server_rate import Role, server_rate
from orsched.catalogue import hardware


def servers_per_rate(sweep: Sweep) -> list[float]:
    """Servers that one request per second of each tier takes; those that decode only, where prompts run apart."""
    role: Role = "decode" if sweep.prefills else "mixed"
    return [1 / _rate_per_s(role, tier.slo.tpot_s) for tier in sweep.tiers if tier.slo is not None]


def planned_per_s(sweep: Sweep) -> float:
    """Largest rate of all tiers, in equal shares, on the sweep's fleet when each tier has servers of its own.

    Tier k takes ``lambda_k / mu_k`` servers, a fraction too, with ``mu_k`` the most that a server sustains whose every
    iteration keeps the tier's TPOT (`fluid.fleets.server_rate`); with prefill instances, those must keep up too, each
    of their batches within the TTFT. Neither a bound, tiers may share servers, nor sure to be reached: it is a mean.
    """
    each = servers_per_rate(sweep)
    decoding = (sweep.instances - sweep.prefills) * len(each) / sum(each)
    if not sweep.prefills:
        return decoding
    ttft_s = min(tier.slo.ttft_s for tier in sweep.tiers if tier.slo is not None)
    return min(decoding, sweep.prefills * _rate_per_s("prefill", ttft_s))


@cache
def _rate_per_s(role: Role, limit_s: float) -> float:
    return server_rate(hardware(DEVICE), _lengths(), limit_s, role).rate_per_s


@cache
def _lengths() -> tuple[ClassRate, ...]:
    return Rates.of(law().whole()).classes()
