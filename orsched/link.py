"""Links: what connects an instance to the others, and how a running request's KV cache is copied over them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orsched.checks import check_number, check_whole


@dataclass(frozen=True, slots=True)
class Link:
    """Connection of one instance to a switch that never blocks; as fast in each direction.

    Transfers that leave (or reach) an instance at the same time share its link equally. A transfer goes at the smaller
    of its two shares, and starts after the longer of the two latencies.

    Parameters
    ----------
    bytes_per_s : float
        Bandwidth in each direction, > 0; infinite when transfers take no time beyond the latency.
    latency_s : float
        Delay before the first byte, seconds, >= 0.
    """

    bytes_per_s: float = math.inf
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        check_number(self, "bytes_per_s", above=True, finite=False)
        check_number(self, "latency_s", unit="seconds")


@dataclass(frozen=True, slots=True)
class StagedCopy:
    """How the KV cache of a decoding request moves while it goes on decoding (Llumnix, arXiv 2406.03243, section 4.2).

    The first stage copies what is cached, each further stage what was appended during the one before. The request
    stops once a stage leaves at most `last_stage_tokens`, or after `stages` of them; the rest is then copied, and it
    goes on at its new instance `downtime_s` later.

    Parameters
    ----------
    stages : int
        Most copies while it decodes; 0 stops it at once, as the hand-off of a finished prompt does.
    last_stage_tokens : int
        Tokens few enough to be copied while it stands still.
    downtime_s : float
        Time to stop and to resume beside the last copy, seconds.
    """

    stages: int = 3
    last_stage_tokens: int = 256
    downtime_s: float = 0.0

    def __post_init__(self) -> None:
        check_whole(self, "stages", least=0)
        check_whole(self, "last_stage_tokens", least=0)
        check_number(self, "downtime_s", unit="seconds")
