"""Which pairs of a source and a target a rescheduler looks at before each move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from orsched.work import Floats, Ints


class Pairing(Protocol):
    """Chooses pairs of instances, by their places in the pool."""

    def __call__(self, loads: Floats, sources: Ints, targets: Ints, /) -> Sequence[tuple[int, list[int]]]:
        """Return sources, each with targets that are not itself.

        Parameters
        ----------
        loads : ndarray of float64
            Mean predicted load of each instance of the pool, tokens.
        sources, targets : ndarray of int64
            Those that may give and take, in order.
        """
        ...


def all_pairs(loads: Floats, sources: Ints, targets: Ints, /) -> Sequence[tuple[int, list[int]]]:
    """Every source with every target: ``O(sources x R x |H| x targets)`` for ``R`` residents of each."""
    return [(int(s), [int(t) for t in targets if t != s]) for s in sources]


def extremes(loads: Floats, sources: Ints, targets: Ints, /) -> Sequence[tuple[int, list[int]]]:
    """The most loaded source with the least loaded target: ``O(R x |H|)``. Ties to the lowest number."""
    if not len(sources) or not len(targets):
        return []
    source, target = sources[np.argmax(loads[sources])], targets[np.argmin(loads[targets])]
    return [(int(source), [int(target)])] if source != target else []
