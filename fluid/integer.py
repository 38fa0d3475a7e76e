"""Mixed-integer programmes as plain data; `fluid.branch_and_bound` solves them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluid.programme import LinearProgramme
from orsched.errors import InputError
from orsched.work import Floats


@dataclass(frozen=True, slots=True, eq=False)
class IntegerProgramme:
    """``minimise c x  subject to  low <= A x <= high, 0 <= x <= u,`` some x whole numbers.

    Parameters
    ----------
    objective : ndarray of float64, shape (n,)
        ``c``.
    matrix : scipy.sparse.csr_array, shape (r, n)
        ``A``.
    low, high : ndarray of float64, shape (r,)
        Ends of each row; infinite where there is none, equal for an equation.
    upper : ndarray of float64, shape (n,)
        ``u``; infinite where a variable has no upper bound.
    whole : ndarray of bool, shape (n,)
        Which variables take whole numbers only.
    rows, columns : tuple of str
        Names; those of rows are used to explain why there is no solution.
    """

    objective: Floats
    matrix: Any
    low: Floats
    high: Floats
    upper: Floats
    whole: NDArray[np.bool_]
    rows: tuple[str, ...]
    columns: tuple[str, ...]

    def relaxed(self) -> LinearProgramme:
        """Write the linear relaxation to maximise ``-c x``: an upper bound b on it says ``c x >= -b``.

        Its optimum is certified by `fluid.certify.certify`. The matrix becomes dense.
        """
        below, above = np.isfinite(self.low), np.isfinite(self.high)
        dense = self.matrix.toarray()
        ends = [*np.flatnonzero(below).tolist(), *np.flatnonzero(above).tolist()]
        return LinearProgramme(
            objective=-self.objective,
            matrix=np.vstack([-dense[below], dense[above]]),
            rhs=np.concatenate([-self.low[below], self.high[above]]),
            upper=self.upper,
            rows=tuple(f"{k}. {self.rows[row]}" for k, row in enumerate(ends)),
        )

    def violation(self, x: Floats) -> float:
        """Largest relative violation of a row or bound at `x` (0 when it is feasible), integrality included."""
        activity = self.matrix @ x
        scale = 1.0 + abs(self.matrix) @ np.abs(x)
        outside = np.maximum(self.low - activity, activity - self.high) / scale
        beyond = np.maximum(-x, x - self.upper)
        broken = np.abs(x - np.round(x))[self.whole]
        return float(max(part.max(initial=0.0) for part in (outside, beyond, broken)))


@dataclass(slots=True)
class Draft:
    """An `IntegerProgramme` under construction, written column by column and row by row.

    Examples
    --------
    >>> from fluid.branch_and_bound import solve_integer
    >>> draft = Draft()
    >>> small = draft.column("small servers", cost=2.0, upper=9, whole=True)
    >>> large = draft.column("large servers", cost=3.0, upper=9, whole=True)
    >>> draft.row("rate", {small: 4.0, large: 7.0}, low=20.0)
    >>> solve_integer(draft.programme()).value
    9.0
    """

    _cost: list[float] = field(default_factory=list)
    _upper: list[float] = field(default_factory=list)
    _whole: list[bool] = field(default_factory=list)
    _columns: list[str] = field(default_factory=list)
    _rows: list[tuple[str, dict[int, float], float, float]] = field(default_factory=list)

    def column(self, name: str, *, cost: float = 0.0, upper: float = math.inf, whole: bool = False) -> int:
        """Add a variable in ``[0, upper]`` and return its index."""
        self._columns.append(name)
        self._cost.append(cost)
        self._upper.append(upper)
        self._whole.append(whole)
        return len(self._columns) - 1

    def charge(self, column: int, cost: float) -> None:
        """Set the objective coefficient of a variable."""
        self._cost[column] = cost

    def row(
        self,
        name: str,
        terms: Mapping[int, float] | Iterable[tuple[int, float]],
        *,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> None:
        """Add ``low <= sum of coefficient * variable <= high``; repeated variables add up."""
        pairs = terms.items() if isinstance(terms, Mapping) else terms
        total: dict[int, float] = {}
        for column, coefficient in pairs:
            total[column] = total.get(column, 0.0) + coefficient
        self._rows.append((name, total, low, high))

    def programme(self) -> IntegerProgramme:
        """Return the programme written so far.

        Raises
        ------
        InputError
            When a coefficient is not finite.
        """
        from scipy.sparse import csr_array

        entries = [(r, c, v) for r, (_, terms, _, _) in enumerate(self._rows) for c, v in terms.items() if v]
        if not all(math.isfinite(v) for *_, v in entries) or not all(map(math.isfinite, self._cost)):
            raise InputError("integer programme: coefficients must be finite")
        at = tuple(np.array([entry[axis] for entry in entries], dtype=np.int64) for axis in (0, 1))
        values = np.array([v for *_, v in entries], dtype=float)
        return IntegerProgramme(
            objective=np.array(self._cost, dtype=float),
            matrix=csr_array((values, at), shape=(len(self._rows), len(self._columns))),
            low=np.array([low for *_, low, _ in self._rows], dtype=float),
            high=np.array([high for *_, high in self._rows], dtype=float),
            upper=np.array(self._upper, dtype=float),
            whole=np.array(self._whole, dtype=np.bool_),
            rows=tuple(name for name, *_ in self._rows),
            columns=tuple(self._columns),
        )
