"""Mooncake (FAST '25): its conductor in front of prefill and decode instances."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

from orsched.checks import check_number, check_whole
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Policy
from orsched.request import SLO
from orsched.workloads import Workload
from policies.registry import get_recipe
from policies.routers import MooncakeConductor
from policies.system import System


@dataclass(frozen=True, slots=True)
class MooncakeSettings:
    """The conductor's parameters.

    Parameters
    ----------
    batcher : str
        A registered policy; it plans the batches of every instance.
    threshold : float
        Ratio of matches beyond which a remote prefix is counted on, >= 1; infinite: never. The engine does not send it
        (see `MooncakeConductor`).
    ttft_s, tbt_s : float, optional
        Limits for classes without an objective, both or neither; None: these are never rejected. The paper's are 30 s,
        and 0.1, 0.2 or 0.3 s.
    chunk_tokens : int
        Prompt tokens of an iteration, for predictions.

    Raises
    ------
    InputError
        Naming the field.
    UnknownNameError
        When there is no such batcher.
    """

    batcher: str = "vllm-v1"
    threshold: float = math.inf
    ttft_s: float | None = None
    tbt_s: float | None = None
    chunk_tokens: int = 1024

    def __post_init__(self) -> None:
        get_recipe(self.batcher)
        check_number(self, "threshold", least=1, finite=False)
        check_whole(self, "chunk_tokens")
        if (self.ttft_s is None) != (self.tbt_s is None):
            raise InputError(f"MooncakeSettings: ttft_s = {self.ttft_s}, tbt_s = {self.tbt_s}: give both or neither")
        for field in ("ttft_s", "tbt_s"):
            if getattr(self, field) is not None:
                check_number(self, field, above=True, unit="seconds")


def mooncake(workload: Workload, fleet: Fleet, settings: MooncakeSettings) -> Policy:
    """Build the batcher behind the conductor.

    Raises
    ------
    InputError
        When the batcher cannot run there.
    """
    objective = None
    if settings.ttft_s is not None and settings.tbt_s is not None:
        objective = SLO(settings.ttft_s, settings.tbt_s)
    conductor = MooncakeConductor(settings.threshold, objective, settings.chunk_tokens)
    built = get_recipe(settings.batcher).build(workload, fleet)
    shown = {**built.settings, **asdict(settings)}
    return replace(built, name="mooncake", route=conductor, place=conductor.decoder, settings=shown)


SYSTEMS = (System("mooncake", "Mooncake's conductor; prefixes are recomputed, not sent", MooncakeSettings, mooncake),)
