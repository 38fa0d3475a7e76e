"""Tiers: bins of the workload's classes by the time per output token they ask for (PolyServe, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.request import RequestClass


@dataclass(frozen=True, slots=True)
class Tiers:
    """The tiers, the tightest first: the TPOT value is the tier, whatever the TTFT.

    Build it with `Tiers.of`.

    Parameters
    ----------
    tpot_s : tuple of float
        Time per output token of each tier, seconds, increasing.
    labels : tuple of str
        What the engine's instances of the tier are labelled: the names of its classes, joined by ``+``.
    of_class : tuple of int
        Tier of each workload class.
    ttft_s : tuple of float
        Time to first token of each workload class, seconds.
    by_label : mapping of str to int
        Tier of each label, and of each class's name, so that a fleet's groups may name classes.
    """

    tpot_s: tuple[float, ...]
    labels: tuple[str, ...]
    of_class: tuple[int, ...]
    ttft_s: tuple[float, ...]
    by_label: Mapping[str, int]

    @classmethod
    def of(cls, classes: Sequence[RequestClass]) -> Tiers:
        """Bin the classes.

        Raises
        ------
        InputError
            When a class has no objective, or two of one name have different ones.
        """
        slos = []
        for kind in classes:
            if kind.slo is None:
                raise InputError(
                    f"class {kind.name!r} has no SLO: PolyServe bins requests by theirs, so each needs one"
                )
            slos.append(kind.slo)
        tpots = tuple(sorted({slo.tpot_s for slo in slos}))
        of_class = tuple(tpots.index(slo.tpot_s) for slo in slos)
        labels = tuple(
            "+".join(dict.fromkeys(kind.name for kind, tier in zip(classes, of_class, strict=True) if tier == k))
            for k in range(len(tpots))
        )
        by_label: dict[str, int] = {}
        names = [kind.name for kind in classes]
        for name, tier in zip((*names, *labels), (*of_class, *range(len(labels))), strict=True):
            if by_label.setdefault(name, tier) != tier:
                raise InputError(f"two classes are called {name!r} and differ in TPOT: tiers need names of their own")
        return cls(tpots, labels, of_class, tuple(slo.ttft_s for slo in slos), by_label)

    def __len__(self) -> int:
        """Number of tiers."""
        return len(self.tpot_s)

    def require_known(self, fleet: Fleet) -> None:
        """Refuse a fleet whose groups name tiers that do not exist; raises InputError."""
        for group in fleet.groups:
            if group.tier is not None and group.tier not in self.by_label:
                known = ", ".join(map(repr, self.by_label))
                raise InputError(f"group {group.name!r} starts in tier {group.tier!r}: the workload has {known}")
