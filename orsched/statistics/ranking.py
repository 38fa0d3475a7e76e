"""Which of several policies is best on common sample paths, and which ones may still be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from orsched.errors import InputError
from orsched.metrics import Better
from orsched.statistics.estimate import ROUNDING, estimate
from orsched.work import Floats

_SIGNS: Mapping[str, float] = {"lower": 1.0, "higher": -1.0}


@dataclass(frozen=True, slots=True)
class Ranked:
    """One policy in a ranking.

    Parameters
    ----------
    name : str
        The policy.
    mean : float
        Its sample mean, in the metric's unit.
    best : bool
        Whether it has the best sample mean; several have when they are identical up to rounding on every path.
    may_be_best : bool
        Whether it is the best, or not significantly worse than any other.
    behind_at_most : float or None
        Upper confidence limit of its distance to the best one, in the metric's unit, >= 0 (0 for a sole best).
        All limits and the set of `may_be_best` hold together at the ranking's level. None when nothing was tested.
    """

    name: str
    mean: float
    best: bool
    may_be_best: bool
    behind_at_most: float | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Policies in the order of their sample means, the best first.

    Parameters
    ----------
    order : tuple of Ranked
        Every policy, by its mean as computed; those identical up to rounding are all best, whichever is first.
    level : float
        The probability with which the best policy is among those that `may_be_best`, at least.
    replications : int
        Sample paths that all of them served.
    undecided : str
        Why they cannot be ranked; empty when they were. Then nothing is tested and any of them may be best.
    """

    order: tuple[Ranked, ...]
    level: float
    replications: int
    undecided: str = ""

    def __getitem__(self, name: str) -> Ranked:
        """The entry of a policy.

        Raises
        ------
        KeyError
            When it was not ranked.
        """
        for ranked in self.order:
            if ranked.name == name:
                return ranked
        raise KeyError(name)

    @property
    def may_be_best(self) -> tuple[str, ...]:
        """The best policy and those not significantly worse."""
        return tuple(ranked.name for ranked in self.order if ranked.may_be_best)


def rank(values: Mapping[str, ArrayLike], better: Better = "lower", level: float = 0.95) -> Ranking:
    """Rank policies by paired replications, all pairs compared, with one family-wise error.

    Policy `i` is *significantly worse* when for some `j` the mean of the paired differences ``d = x_i - x_j`` exceeds
    ``t sd(d) / sqrt(n)``, with ``t`` the ``1 - (1 - level) / (2 (k - 1))`` quantile of Student's law with ``n - 1``
    degrees of freedom (``k`` policies, ``n`` replications, smaller better). The others `may_be_best`. The true best
    policy ``b`` is left out only if one of its ``k - 1`` differences errs, so by Bonferroni the set holds it with
    probability `level` at least. On the same event ``mu_i - mu_b <= mean(x_i - x_b) + t sd / sqrt(n)`` for every
    ``i``, which is at most `Ranked.behind_at_most`, the largest such limit over the ``b`` of the set.

    The pairwise standard deviations make this valid under any dependence between policies, hence under common random
    numbers; it assumes that the mean of the differences is normal. For normal means one side would do, with half the
    error; differences of times are skewed, and one-sided limits at 95% covered 90% where the two-sided ones keep
    their level (docs/statistics.md). So two policies differ exactly when 0 lies outside the paired interval of
    `orsched.statistics.estimate`. With exact ties for the best, *each* of the tied policies is kept with probability
    `level`; that all of them are kept together is less probable.

    This is screening with pairwise variances (Nelson, Swann, Goldsman and Song 2001, "Simple procedures for selecting
    the best simulated system when the number of alternatives is large", Operations Research 49(6)), with Bonferroni in
    place of independence as in Nelson and Matejcik (1995), Management Science 41(12); its limits are the upper ends of
    multiple comparisons with the best (Hsu 1984, Annals of Statistics 12(3)).

    Parameters
    ----------
    values : mapping of str to array_like, each of shape (n,)
        A number per replication for each policy; the same row is the same sample path. Differences below 1e-9
        relative count as none: they are rounding.
    better : {"lower", "higher"}
        Which direction is better.
    level : float
        One minus the family-wise error, in (0, 1).

    Returns
    -------
    Ranking
        `Ranking.undecided` says why when there is one policy, one replication, or no difference beyond rounding.

    Raises
    ------
    InputError
        Without a policy or a value, with a value that is not finite, with unequal numbers of replications, with
        another direction, or where values or the level are so extreme that no limit is finite.
    """
    if not values:
        raise InputError("a ranking needs at least one policy")
    if better not in _SIGNS:
        raise InputError(f"better = {better!r}: must be 'lower' or 'higher'")
    estimates = {name: estimate(row, level) for name, row in values.items()}
    lengths = {name: found.n for name, found in estimates.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"a ranking pairs replications, but their numbers differ: {lengths}")
    sign = _SIGNS[better]
    names = sorted(values, key=lambda name: sign * estimates[name].mean)
    rows: Floats = np.array([np.asarray(values[name], dtype=float).reshape(-1) for name in names])
    apart = _differences(rows) * sign
    undecided = _undecided(names, apart)
    n = rows.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        means = apart.mean(axis=2)
        widths = np.zeros_like(means) if undecided else _widths(apart, level)
    if not np.isfinite(means + widths).all():
        raise InputError(f"a ranking at level {level!r} of values up to {np.abs(rows).max():.3g}: no limit is finite")
    worse = (means > widths).any(axis=1) & (not undecided)
    limits = np.where(np.eye(len(names), dtype=bool) | worse[None, :], 0.0, means + widths).max(axis=1).clip(min=0.0)
    order = tuple(
        Ranked(
            name=name,
            mean=estimates[name].mean,
            best=not apart[index, 0].any(),
            may_be_best=not worse[index],
            behind_at_most=None if undecided else float(limits[index]),
        )
        for index, name in enumerate(names)
    )
    return Ranking(order, level, n, undecided)


def _differences(rows: Floats) -> Floats:
    """All paired differences, shape (k, k, n), without those that are rounding."""
    apart = rows[:, None, :] - rows[None, :, :]
    size = np.maximum(np.abs(rows)[:, None, :], np.abs(rows)[None, :, :])
    found: Floats = np.where(np.abs(apart) <= ROUNDING * size, 0.0, apart)
    return found


def _widths(apart: Floats, level: float) -> Floats:
    from scipy.special import stdtrit

    k, _, n = apart.shape
    quantile = float(stdtrit(n - 1, 1 - (1 - level) / (2 * (k - 1))))
    widths: Floats = quantile * apart.std(axis=2, ddof=1) / math.sqrt(n)
    return widths


def _undecided(names: list[str], apart: Floats) -> str:
    if len(names) == 1:
        return "cannot rank: only one policy"
    if apart.shape[2] == 1:
        return "cannot rank: one replication"
    return "" if apart.any() else "cannot rank: identical on every sample path"
