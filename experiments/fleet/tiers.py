"""Which tier each request of a path belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from orsched.errors import InputError
from orsched.request import RequestClass
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True)
class DrawnTiers:
    """Tiers drawn independently of everything else.

    Parameters
    ----------
    tiers : tuple of RequestClass
        With their objectives.
    shares : tuple of float
        Of each tier; their sum is 1.
    """

    tiers: tuple[RequestClass, ...]
    shares: tuple[float, ...]

    @property
    def shown(self) -> str:
        """Shares and objectives, as ``"70% chat (1 s, 0.05 s)"``."""
        found = []
        for one, share in zip(self.tiers, self.shares, strict=True):
            objective = "" if one.slo is None else f" ({one.slo.ttft_s:g} s, {one.slo.tpot_s:g} s)"
            found.append(f"{100 * share:g}% {one.name}{objective}")
        return " + ".join(found)

    def __call__(self, path: Workload, rng: np.random.Generator) -> Workload:
        """The path with its classes replaced by drawn tiers."""
        ids = rng.choice(len(self.tiers), size=len(path), p=np.array(self.shares) / sum(self.shares))
        ids.setflags(write=False)
        return replace(path, class_id=ids.astype(np.int64), classes=self.tiers)


@dataclass(frozen=True, slots=True)
class ClassTiers:
    """The workload's own classes are the tiers, by name.

    Parameters
    ----------
    tiers : tuple of RequestClass
        With their objectives; every class of the workload must be one of them.
    """

    tiers: tuple[RequestClass, ...]

    def __call__(self, path: Workload, rng: np.random.Generator) -> Workload:
        """The path with the tiers in place of its classes of the same names.

        Raises
        ------
        InputError
            When a class is no tier.
        """
        place = {tier.name: k for k, tier in enumerate(self.tiers)}
        for one in path.classes:
            if one.name not in place:
                raise InputError(f"workload.tiers = 'class': class {one.name!r} of {path.name!r} has no [[tier]]")
        ids = np.array([place[one.name] for one in path.classes], dtype=np.int64)[path.class_id]
        ids.setflags(write=False)
        return replace(path, class_id=ids, classes=self.tiers)


@dataclass(frozen=True, slots=True)
class OwnClasses:
    """The workload as it is; its classes are the tiers, with the objectives that they may have."""

    def __call__(self, path: Workload, rng: np.random.Generator) -> Workload:
        """The path itself."""
        return path


TierRule = DrawnTiers | ClassTiers | OwnClasses
