"""How long a migration is expected to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.work import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class MigrationTime:
    """Expected time to move a request's KV cache over links that are free and as fast as specified.

    ``T = KV bytes / bandwidth + latency + downtime``: the smaller bandwidth and the longer latency of the two links, as
    the engine has them. What is decoded during the copy, further stages and other transfers are left out.

    Parameters
    ----------
    bytes_per_token : float
        KV bytes of a token; 0 where no link needs them.
    bytes_per_s, latency_s : ndarray of float64
        Links of all instances of the fleet, shape ``(n,)``; a bandwidth may be infinite.
    downtime_s : float
        To stop and to resume, seconds.
    """

    bytes_per_token: float
    bytes_per_s: Floats
    latency_s: Floats
    downtime_s: float

    @classmethod
    def of(cls, fleet: Fleet, bytes_per_token: float | None) -> MigrationTime:
        """Read the links of a fleet, whose decode instances have so many KV bytes to a token.

        Raises
        ------
        InputError
            When a link is finite and the bytes are not known.
        """
        links = [group.link for group in fleet.instances()]
        if bytes_per_token is None and any(np.isfinite(link.bytes_per_s) for link in links):
            raise InputError(
                "the fleet's links have a finite bandwidth, but its hardware does not say how many bytes a KV token "
                "has (Hardware.kv_bytes_per_token): migrations cannot be timed"
            )
        return cls(
            bytes_per_token or 0.0,
            np.array([link.bytes_per_s for link in links]),
            np.array([link.latency_s for link in links]),
            fleet.migration.downtime_s,
        )

    def seconds(self, source: int, targets: Sequence[int], tokens: Ints) -> Floats:
        """Time to move so many KV tokens, shape ``(r,)``, to each of ``k`` instances of the fleet; ``(r, k)``."""
        latency_s = np.maximum(self.latency_s[source], self.latency_s[list(targets)])
        bytes_per_s = np.minimum(self.bytes_per_s[source], self.bytes_per_s[list(targets)])
        return np.asarray(tokens[:, None] * self.bytes_per_token / bytes_per_s + latency_s + self.downtime_s)
