"""Other readings of what the engine does, to see how much hangs on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from experiments.validation.ahead import OneStepAhead
from experiments.validation.comparison import compare
from experiments.validation.replay import replay
from experiments.validation.request_log import RequestLog
from experiments.validation.settings import EngineSettings
from orsched.catalogue import Hardware
from orsched.policy import Batcher
from orsched.service import Hinged, Lockstep, ServiceModel, Tabulated


@dataclass(frozen=True, slots=True)
class Alternative:
    """One assumption changed.

    Parameters
    ----------
    name : str
        What is assumed.
    settings : EngineSettings
        Of the engine.
    entry : Hardware
        The device.
    wrap : callable, optional
        Makes another batcher of the engine's.
    """

    name: str
    settings: EngineSettings
    entry: Hardware
    wrap: Callable[[Batcher], Batcher] | None = None

    def errors(self, log: RequestLog) -> dict[str, float]:
        """Relative error of the mean, by metric."""
        found = replay(log, self.entry, self.settings, self.wrap)
        return {comparison.metric: comparison.error for comparison in compare(found)}


def alternatives(settings: EngineSettings, entry: Hardware) -> tuple[Alternative, ...]:
    """Every other reading that could matter for these settings, one change at a time."""
    found = [
        Alternative("one iteration ahead (asynchronous scheduling)", settings, entry, OneStepAhead),
        Alternative("admit when the first chunk fits", replace(settings, reserve_prompt=False), entry),
        Alternative("forget the KV of preempted requests", replace(settings, prefix_caching=False), entry),
    ]
    even = _without_skew(entry.service)
    if even is not None:
        found.append(
            Alternative("contexts of a batch count as equal (no skew)", settings, replace(entry, service=even))
        )
    if isinstance(entry.service, Lockstep):
        ranks = entry.service.ranks
        tokens = max(settings.max_num_batched_tokens // ranks, settings.max_num_seqs)
        found.append(
            Alternative(
                "one rank's token budget for all ranks", replace(settings, max_num_batched_tokens=tokens), entry
            )
        )
        alone = replace(entry, service=entry.service.service, kv_capacity_tokens=entry.kv_capacity_tokens // ranks)
        found.append(
            Alternative("ranks that do not wait for each other", replace(settings, expert_parallel=False), alone)
        )
    return tuple(found)


def _without_skew(service: ServiceModel) -> ServiceModel | None:
    """The model without its skew; None when it has none."""
    if isinstance(service, Lockstep):
        rank = _without_skew(service.service)
        return None if rank is None else replace(service, service=rank)
    if isinstance(service, Tabulated) and service.skew is not None:
        return replace(service, skew=None)
    if isinstance(service, Hinged) and service.kv_skew_share:
        return replace(service, kv_skew_share=0.0)
    return None
