"""WAIT as its authors' code of February 2025 runs it: any class that is ready takes all of them along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orsched.checks import check_is, check_number, check_whole
from orsched.engine.plan import IDLE, Plan
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.parts.bins import MOST_CLASSES, LengthBins
from policies.wait.wait import newcomers, relieve, require_classes

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class ClassLimits:
    """Limits of one class, as the code computes them.

    Parameters
    ----------
    per_stage : int
        Most prompts that enter in an iteration, >= 1.
    in_service : float
        Most prompts in service, >= 1: with less none would ever start.
    """

    per_stage: int
    in_service: float

    def __post_init__(self) -> None:
        check_whole(self, "per_stage")
        check_number(self, "in_service", least=1)

    def room(self, serving: int) -> int:
        """Prompts that may enter beside `serving`; rounded towards zero, negative when the class is over its limit."""
        return min(self.per_stage, int(self.in_service - serving))


@dataclass(frozen=True, slots=True)
class AnyClassFires:
    """Fires as soon as one class has a prompt waiting for each that may enter; then everybody advances.

    A class is ready when it has at least as many prompts waiting as may enter: the limit per stage, or what is left of
    the limit in service if that is less. So a class that is full is always ready. When any class is ready the
    next iteration has every resident of every class and, of each class, as many waiting prompts as may enter.
    Otherwise nothing runs: all residents are paused, with their KV cache.

    Differs from Algorithm 1 (`Waiting`), where a class fires on its own and the others are frozen, and from
    `KeepDecoding`, where residents never pause.

    Parameters
    ----------
    limits : tuple of ClassLimits
        One per class.

    Notes
    -----
    Ours: once nothing arrives any more all classes fire with what they have (the code discards them); newcomers wait
    for memory and seats, and growth evicts the most recently admitted (the code's batches check neither).
    """

    limits: tuple[ClassLimits, ...]

    def __post_init__(self) -> None:
        check_is(self, "limits", tuple)
        if not self.limits or not all(isinstance(limit, ClassLimits) for limit in self.limits):
            raise InputError(f"AnyClassFires.limits = {self.limits}: must be ClassLimits, one for each class")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan one iteration, or decode until somebody leaves or arrives."""
        require_classes(view, "limits", len(self.limits))
        classes = range(len(self.limits))
        room = [limit.room(view.decoding(j)) for j, limit in enumerate(self.limits)]
        if not view.closed and all(len(view.waiting_of(j)) < room[j] for j in classes):
            return IDLE
        chunks = newcomers(view, [max(0, places) for places in room], classes, None)
        if not chunks and not view.running:
            return IDLE
        return relieve(view, Plan(chunks))


@dataclass(frozen=True, slots=True)
class AuthorsWait:
    """How to make WAIT as in the authors' code of February 2025 (Luoxiaogan/vidur_or, its "modified" scheduler).

    That is ``modified_booking_limit_replica_scheduler.py`` at commit b2ce975. An earlier version of the file, 0059d9f,
    waits until all types are ready.

    ``w_j = lambda_j (l'_j + 1)``; class j may have ``B w_j / sum w`` prompts in service, at least 1 (ours: with less no
    prompt of the class would ever start), and that over ``l'_j + 1``, rounded down but at least 1, in each stage.

    Parameters
    ----------
    total_limit : int
        ``B``, prompts in service over all classes. The code's sweeps with this scheduler go from 100 to 2000. The
        default is ours: 64 is the limit of the published run on a real trace, as far as we know of Nested WAIT.
    input_bins, output_bins : int
        Classes of a workload are the cells of a quantile grid over prompt and output lengths (ours: the code is given
        types of one length each).

    Raises
    ------
    InputError
        When a field is no whole number >= 1, or there are too many bins.
    """

    total_limit: int = 64
    input_bins: int = 1
    output_bins: int = 2

    def __post_init__(self) -> None:
        check_whole(self, "total_limit")
        for name in ("input_bins", "output_bins"):
            check_whole(self, name, most=MOST_CLASSES)

    def limits(self, rates: list[float], stages: list[float]) -> tuple[ClassLimits, ...]:
        """The limits for arrival rates ``lambda_j`` (only their ratios matter) and ``l'_j + 1`` stages."""
        weights = [rate * count for rate, count in zip(rates, stages, strict=True)]
        shares = [max(1.0, self.total_limit * weight / sum(weights)) for weight in weights]
        return tuple(
            ClassLimits(max(1, int(share / count)), share) for share, count in zip(shares, stages, strict=True)
        )

    def from_law(self, workload: Workload, fleet: Fleet) -> Policy:
        """Build it with rates and mean output lengths (ours, as ``l'_j + 1``) of the classes of `workload`."""
        bins = LengthBins.quantiles(workload, self.input_bins, self.output_bins)
        classes = bins.classify(workload)
        counts = np.bincount(classes, minlength=bins.count)
        stages = np.bincount(classes, weights=workload.output_tokens, minlength=bins.count) / np.maximum(counts, 1)
        limits = self.limits(counts.tolist(), np.maximum(stages, 1.0).tolist())
        return Policy(
            "wait-c0",
            AnyClassFires(limits),
            information=Information.CLASS,
            num_classes=bins.count,
            classify=bins,
            settings={
                "bins": bins.describe(),
                "per_stage": [limit.per_stage for limit in limits],
                "in_service": [limit.in_service for limit in limits],
            },
            takes_transfers=False,
        )
