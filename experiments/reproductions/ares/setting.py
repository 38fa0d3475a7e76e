"""What is run for ARES / STAR: lengths, fleets, policies and rates, all of them ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

import fluid
from orsched.catalogue import Hardware, hardware
from orsched.fleet import Fleet
from orsched.group import Group, Role
from orsched.link import Link, StagedCopy
from orsched.policy import Policy
from orsched.request import SLO
from orsched.service import Batch
from orsched.workloads import Workload
from orsched.workloads.arrivals import Poisson
from orsched.workloads.lengths import Independent
from orsched.workloads.marginals import LogNormal
from orsched.workloads.sources import SyntheticSource
from policies.ares import AresLikeSettings, ares_like
from policies.ares.settings import Forecast, Placement
from policies.predictors.flat import Flat

OUTPUTS = LogNormal(8_000, 0.9, 32_000)
PROMPTS = LogNormal(200, 1.0, 2_048)
PREFILLS, DECODES = 1, 4
LINK = Link(25e9, 1e-5)
COPY = StagedCopy(downtime_s=0.02)
TIGHT, AMPLE = "qwen2.5-7b/a100-40g", "qwen2.5-7b/h100-sxm"
TTFT_S = 5.0
LEVEL = 0.9
"""Share of requests within their objective that a rate must keep to count as goodput."""

LOADS = (0.7, 0.85, 1.0, 1.1)
REQUESTS, REPLICATIONS = 800, 6
QUICK_REQUESTS, QUICK_REPLICATIONS = 40, 2

FAMILIES: Mapping[str, Forecast] = MappingProxyType(
    {
        "none": "none",
        "llumnix": "freeness",
        "current": "current",
        "predicted": "predicted",
        "predicted-flat": "predicted",
        "oracle": "oracle",
    }
)
"""What rescheduling goes by, by label; the first is what the others are compared with."""

BASE, OURS = "none", "predicted"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One experiment: every family at every load.

    Parameters
    ----------
    name, title : str
        Short name for cells and files; heading on the page.
    device : str
        Hardware of every instance, a name of the catalogue.
    placement : Placement
        Who takes over a finished prompt.
    period_s : float
        Time between two passes, seconds.
    loads : tuple of float
        Rates relative to the capacity of the decode instances.
    requests, replications : int
        On a path; paths.
    """

    name: str
    title: str
    device: str
    placement: Placement
    period_s: float = 5.0
    loads: tuple[float, ...] = LOADS
    requests: int = REQUESTS
    replications: int = REPLICATIONS

    @property
    def fleet(self) -> Fleet:
        """Prefill and decode instances of the same hardware."""
        return fleet_of(self.device)

    def rate_per_s(self, load: float) -> float:
        """Requests per second at a load."""
        return load * capacity_per_s(self.device)

    @property
    def slo(self) -> SLO:
        """First token, and mean time per token: no slower than an instance whose memory is full."""
        return SLO(TTFT_S, full_step_s(hardware(self.device)))

    def policy(self, family: str) -> Policy:
        """Build a family's policy, from the law of the lengths and never from a sample path."""
        settings = AresLikeSettings(FAMILIES[family], period_s=self.period_s, placement=self.placement)
        policy = replace(ares_like(law().whole(), self.fleet, settings), name=family)
        return policy.predicted_by(Flat()) if family == "predicted-flat" else policy


def sweeps(quick: bool) -> tuple[Sweep, ...]:
    """All of them; `quick` keeps two loads of the first two, with few and short paths."""
    tight = Sweep("in-turn", "Memory tight, prompts handed over in turn", TIGHT, "in-turn")
    full = (
        tight,
        Sweep("least-kv", "Memory tight, prompts handed to the decode instance with the least KV", TIGHT, "least-kv"),
        replace(tight, name="slow", title="Memory tight, in turn, a pass every 30 s", period_s=30.0),
        Sweep("ample", "Memory ample, in turn", AMPLE, "in-turn", loads=(0.7, 1.0)),
    )
    if not quick:
        return full
    return tuple(
        replace(sweep, loads=(0.7, 1.0), requests=QUICK_REQUESTS, replications=QUICK_REPLICATIONS) for sweep in full[:2]
    )


@cache
def law() -> SyntheticSource:
    """Lengths of long reasoning answers."""
    about = "prompts of median 200 and outputs of median 8,000 tokens, log-normal, at most 32,000"
    return SyntheticSource("reasoning-like", about, Poisson(1.0), Independent(PROMPTS, OUTPUTS))


def path_law(rate_per_s: float) -> SyntheticSource:
    """The lengths, with Poisson arrivals at a rate; the same numbers at every rate, scaled in time."""
    return replace(law(), arrivals=Poisson(rate_per_s))


@cache
def fleet_of(device: str) -> Fleet:
    """One prefill and four decode instances."""
    entry = hardware(device)
    sizes = ((PREFILLS, Role.PREFILL), (DECODES, Role.DECODE))
    return Fleet(tuple(Group(entry, size, role, link=LINK) for size, role in sizes), COPY)


@cache
def capacity_per_s(device: str) -> float:
    """Most requests per second that four instances sustain which do everything, by the planning programme."""
    return fluid.capacity(law().whole(), Fleet.identical(hardware(device), DECODES)).max_rate_per_s


def full_step_s(entry: Hardware) -> float:
    """Time of an iteration of as many requests of mean context as fill the memory, at most a full batch; seconds."""
    tokens = mean_context_tokens(law().whole())
    requests = min(entry.kv_capacity_tokens / tokens, entry.max_num_seqs)
    held = requests * tokens
    return entry.service.iteration_s(Batch(num_seqs=requests, kv_tokens=held, longest_kv_tokens=tokens))


def mean_context_tokens(workload: Workload) -> float:
    """Mean context over all decode iterations of all requests, tokens."""
    inputs, outputs = workload.input_tokens.astype(float), workload.output_tokens.astype(float)
    steps = outputs - 1
    return float((steps * (inputs + (outputs - 2) / 2)).sum() / steps.sum())
