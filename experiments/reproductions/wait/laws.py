"""Lengths of the WAIT experiments, and a law with published moments in the place of data that is not bundled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from orsched.errors import InputError
from orsched.request import RequestClass
from orsched.work import Floats, Ints
from orsched.workloads.arrivals import Poisson
from orsched.workloads.catalogue import workload_source
from orsched.workloads.lengths import Independent
from orsched.workloads.marginals import Empirical, Fixed
from orsched.workloads.mix import ClassMix
from orsched.workloads.sources import SyntheticSource

LONGEST = 499
"""The published LMSYS filter keeps lengths below 500 tokens."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A law of whole numbers with given shares on ranges and a given mean, and as little else as possible.

    Among all laws with these shares and this mean it has the largest entropy: on every range the probability of ``x``
    is proportional to ``exp(-tilt x)``, with one `tilt` for all of them.

    Parameters
    ----------
    ranges : tuple of (int, int, float)
        Least and largest number of a range and the share of it; shares sum to 1.
    mean : float
        The mean.
    """

    ranges: tuple[tuple[int, int, float], ...]
    mean: float

    def law(self) -> tuple[Ints, Floats]:
        """Numbers and probabilities; raises InputError when no tilt gives the mean."""
        from scipy.optimize import brentq

        values = np.concatenate([np.arange(low, high + 1) for low, high, _ in self.ranges])
        low, high = (float(values @ self._weights(tilt)) - self.mean for tilt in (1.0, -1.0))
        if not low < 0 < high:
            raise InputError(f"mean {self.mean}: the shares allow {low + self.mean:.1f} to {high + self.mean:.1f}")
        tilt = brentq(lambda t: float(values @ self._weights(t)) - self.mean, -1.0, 1.0, xtol=1e-15)
        return values, self._weights(float(tilt))

    def _weights(self, tilt: float) -> Floats:
        parts = []
        for low, high, share in self.ranges:
            exponents = -tilt * np.arange(high - low + 1)
            weights = np.exp(exponents - exponents.max())
            parts.append(share * weights / weights.sum())
        return np.concatenate(parts)


PROMPTS = Pieces(((1, 21, 0.5), (22, LONGEST, 0.5)), 58.6)
"""Published: median 21, mean 58.6."""

DECODES = Pieces(((1, 50, 0.31), (51, 116, 0.19), (117, 300, 0.36), (301, LONGEST, 0.14)), 147.3)
"""Published: 31% at most 50, median 116, 14% above 300, mean 147.3."""


def p512d20() -> SyntheticSource:
    """Prompt 512, 20 decode iterations."""
    return _catalogue("p512d20")


def two_types() -> SyntheticSource:
    """70% p512d20 and 30% p512d50."""
    return _catalogue("p512d20-p512d50")


def p512d1000() -> SyntheticSource:
    """Prompt 512, 1000 decode iterations."""
    mix = ClassMix.single(Independent(Fixed(512), Fixed(1001)), RequestClass("p512d1000"))
    return SyntheticSource("p512d1000", "prompt 512, then 1000 decode iterations", Poisson(1.0), mix)


@cache
def lmsys_like() -> SyntheticSource:
    """Prompt and decode lengths with the published moments of the filtered LMSYS trace, independent (ours)."""
    (prompts, prompt_shares), (decodes, decode_shares) = PROMPTS.law(), DECODES.law()
    lengths = Independent(
        Empirical(tuple(prompts.tolist()), tuple(prompt_shares.tolist())),
        Empirical(tuple((decodes + 1).tolist()), tuple(decode_shares.tolist())),
    )
    about = "lengths with the published moments of LMSYS below 500 tokens; prompt and output independent"
    return SyntheticSource("lmsys-like", about, Poisson(1.0), lengths)


def mean_volume(source: SyntheticSource) -> float:
    """Mean token-iterations of KV per request, ``S = (l' + 1)(l + l'/2)``, over the law's representative sample."""
    return float(np.mean(source.whole().work.kv_volume))


def _catalogue(name: str) -> SyntheticSource:
    source = workload_source(name)
    if not isinstance(source, SyntheticSource):
        raise InputError(f"workload {name!r}: need a law, not a trace")
    return source
