"""The latency objective of every request of a workload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orsched.errors import InputError
from orsched.request import SLO
from orsched.work import Floats, Ints
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True, eq=False)
class Objectives:
    """Limits by request; arrays of shape ``(n,)``.

    Parameters
    ----------
    ttft_s, tpot_s : ndarray of float64
        Most time to first token and per output token after it, seconds, > 0; how the latter is meant is up to the
        scoring (`orsched.scoring`).
    class_id : ndarray of int64
        Index into `names`.
    names : tuple of str
        Of the classes.
    """

    ttft_s: Floats
    tpot_s: Floats
    class_id: Ints
    names: tuple[str, ...]

    @classmethod
    def of(cls, workload: Workload) -> Objectives:
        """Read them off the workload's classes.

        Raises
        ------
        InputError
            When a class that has requests has no SLO: nothing says what its requests are to meet.
        """
        limits = np.full((len(workload.classes), 2), np.inf)
        for k in np.unique(workload.class_id).tolist():
            one = workload.classes[k]
            if one.slo is None:
                raise InputError(f"class {one.name!r} of {workload.name!r} has no SLO: its requests cannot be scored")
            limits[k] = one.slo.ttft_s, one.slo.tpot_s
        each = limits[workload.class_id]
        return cls(each[:, 0], each[:, 1], workload.class_id, tuple(one.name for one in workload.classes))

    @classmethod
    def same(cls, slo: SLO, count: int) -> Objectives:
        """One objective for all of `count` requests."""
        limits = np.full(count, slo.ttft_s), np.full(count, slo.tpot_s)
        return cls(*limits, np.zeros(count, dtype=np.int64), ("all",))

    def __len__(self) -> int:
        """Count the requests."""
        return len(self.ttft_s)

    def slice(self, start: int, stop: int) -> Objectives:
        """Those of requests ``start .. stop - 1``."""
        part = slice(start, stop)
        return Objectives(self.ttft_s[part], self.tpot_s[part], self.class_id[part], self.names)

    def life_s(self, output_tokens: Ints) -> Floats:
        """Most time from arrival to completion, ``TTFT + (o - 1) TPOT``, of a request that keeps its objective."""
        whole: Floats = self.ttft_s + (output_tokens - 1) * self.tpot_s
        return whole
