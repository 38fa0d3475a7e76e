"""Many modes as columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fluid.modes.mode import QUANTITIES, Mode
from orsched.errors import InputError, unknown_name
from orsched.work import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class ModeTable:
    """Modes by column; arrays of shape ``(n,)``.

    Parameters
    ----------
    labels : sequence of str, n of them
        What a reader calls each mode.
    chips : tuple of str
        Kinds of instances.
    chip : ndarray of int64
        Which of `chips` runs each mode.
    iteration_s : ndarray of float64
        Seconds per iteration.
    products : mapping of str to ndarray of float64
        Rates per second.
    quantities : mapping of str to ndarray of float64
        Those of `fluid.modes.mode.QUANTITIES` that are known for every mode.
    """

    labels: Sequence[str]
    chips: tuple[str, ...]
    chip: Ints
    iteration_s: Floats
    products: Mapping[str, Floats]
    quantities: Mapping[str, Floats]

    @classmethod
    def of(cls, modes: Sequence[Mode] | ModeTable) -> ModeTable:
        """Tabulate modes; a product that a mode does not name is not produced by it.

        Raises
        ------
        InputError
            When there is none.
        """
        if isinstance(modes, ModeTable):
            return modes
        if not modes:
            raise InputError("a mode programme needs at least one mode")
        chips = tuple(dict.fromkeys(m.chip for m in modes))
        names = dict.fromkeys(name for m in modes for name in m.produces)
        known = [q for q in QUANTITIES if all(getattr(m, q) is not None for m in modes)]
        return cls(
            labels=[m.label for m in modes],
            chips=chips,
            chip=np.array([chips.index(m.chip) for m in modes], dtype=np.int64),
            iteration_s=np.array([m.iteration_s for m in modes], dtype=float),
            products={name: np.array([m.produces.get(name, 0.0) for m in modes], dtype=float) for name in names},
            quantities={q: np.array([getattr(m, q) for m in modes], dtype=float) for q in known},
        )

    @classmethod
    def joined(cls, tables: Sequence[ModeTable]) -> ModeTable:
        """Put tables below each other; a product missing in one is not produced there, a quantity is then unknown."""
        chips = tuple(dict.fromkeys(c for t in tables for c in t.chips))
        names = dict.fromkeys(name for t in tables for name in t.products)
        known = [q for q in QUANTITIES if all(q in t.quantities for t in tables)]
        places = [np.array([chips.index(c) for c in t.chips], dtype=np.int64)[t.chip] for t in tables]
        return cls(
            labels=[label for t in tables for label in t.labels],
            chips=chips,
            chip=np.concatenate(places),
            iteration_s=np.concatenate([t.iteration_s for t in tables]),
            products={n: np.concatenate([t.products.get(n, np.zeros(len(t))) for t in tables]) for n in names},
            quantities={q: np.concatenate([t.quantities[q] for t in tables]) for q in known},
        )

    def __len__(self) -> int:
        """Count the modes."""
        return len(self.iteration_s)

    def mode(self, column: int) -> Mode:
        """One of them as a record."""
        made = {name: float(rates[column]) for name, rates in self.products.items()}
        return Mode(
            label=self.labels[column],
            iteration_s=float(self.iteration_s[column]),
            produces={name: rate for name, rate in made.items() if rate > 0},
            chip=self.chips[int(self.chip[column])],
            **{q: float(values[column]) for q, values in self.quantities.items()},
        )

    def rates(self, name: str) -> Floats:
        """Column of a quantity or a product.

        Raises
        ------
        InputError
            For a quantity that some mode does not know, or a product that no mode makes.
        """
        if name in self.quantities:
            return self.quantities[name]
        if name in QUANTITIES:
            raise InputError(f"{name} is not given for every mode; give it, or choose another objective or limit")
        if name not in self.products:
            raise unknown_name("product or quantity", name, (*self.products, *self.quantities))
        return self.products[name]
