"""The latency objective of every request of a workload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        Most time to first token and per output token after it, seconds, finite and > 0; how the latter is meant is up
        to the scoring (`orsched.scoring`).
    class_id : ndarray of int64
        Index into `names`.
    names : tuple of str
        Of the classes.

    Raises
    ------
    InputError
        When the arrays differ in length, a limit is not finite and > 0, or a class has no name.
    """

    ttft_s: Floats
    tpot_s: Floats
    class_id: Ints
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        shapes = {np.shape(values) for values in (self.ttft_s, self.tpot_s, self.class_id)}
        if len(shapes) != 1 or len(shapes.pop()) != 1:
            raise InputError("Objectives: ttft_s, tpot_s and class_id must be arrays of one length")
        for field in ("ttft_s", "tpot_s"):
            limits = getattr(self, field)
            wrong = ~((limits > 0) & np.isfinite(limits))
            _refuse(f"Objectives.{field}", limits, wrong, "must be a positive, finite number of seconds")
        outside = (self.class_id < 0) | (self.class_id >= len(self.names))
        _refuse("Objectives.class_id", self.class_id, outside, f"there are {len(self.names)} names")

    @classmethod
    def of(cls, workload: Workload) -> Objectives:
        """Read them off the workload's classes.

        Raises
        ------
        InputError
            When a class that has requests has no SLO: nothing says what its requests are to meet.
        """
        limits = np.ones((len(workload.classes), 2))
        for k in np.unique(workload.class_id).tolist():
            one = workload.classes[k]
            if one.slo is None:
                raise InputError(f"class {one.name!r} of {workload.name!r} has no SLO: its requests cannot be scored")
            limits[k] = one.slo.ttft_s, one.slo.tpot_s
        each = limits[workload.class_id]
        return cls(each[:, 0], each[:, 1], workload.class_id, tuple(one.name for one in workload.classes))

    @classmethod
    def known(cls, workload: Workload) -> Objectives | None:
        """Those of `of`, or None where it raises: when a class that has requests has no SLO."""
        if any(workload.classes[k].slo is None for k in np.unique(workload.class_id).tolist()):
            return None
        return cls.of(workload)

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

    def agrees(self, other: Objectives) -> bool:
        """Whether every request has the same limits in both."""
        return np.array_equal(self.ttft_s, other.ttft_s) and np.array_equal(self.tpot_s, other.tpot_s)

    def life_s(self, output_tokens: Ints) -> Floats:
        """Most time from arrival to completion, ``TTFT + (o - 1) TPOT``, of a request that keeps its objective."""
        whole: Floats = self.ttft_s + (output_tokens - 1) * self.tpot_s
        return whole


def _refuse(name: str, values: Floats | Ints, wrong: NDArray[np.bool_], why: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{name}[{row}] = {values[row]}: {why}")
