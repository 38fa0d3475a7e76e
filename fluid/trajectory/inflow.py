"""What flows in: a rate and a law of lengths, and how much of a request is left at each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fluid.demand import ClassRate, Demand, Rates
from fluid.trajectory.profile import RateProfile
from orsched.errors import InputError
from orsched.work import Floats, Ints
from orsched.workloads import Workload


@dataclass(frozen=True, slots=True, eq=False)
class LengthMix:
    """Classes of lengths and how often each occurs; arrays of shape ``(k,)``.

    Parameters
    ----------
    input_tokens, output_tokens : ndarray of int64
        Lengths of each class, >= 1.
    shares : ndarray of float64
        Share of each class, adding up to 1.
    """

    input_tokens: Ints
    output_tokens: Ints
    shares: Floats

    @classmethod
    def of(cls, demand: Demand) -> LengthMix:
        """The mix of a workload, or of classes in proportion to their rates."""
        rates = Rates.of(demand)
        return cls(rates.work.prompt_tokens, rates.work.iterations, rates.rate_per_s / rates.total_per_s)

    @property
    def peak_tokens(self) -> int:
        """Most KV tokens that a request of the mix ends with."""
        return int(np.max(self.input_tokens + self.output_tokens)) - 1

    def stages(self, count: int) -> Stages:
        """Tabulate what is left of a request at ages ``0 .. count - 1``; the longest output must not exceed `count`."""
        left = np.zeros((3, count + 1))
        prompt = self.input_tokens.astype(float)
        for power in range(3):
            np.subtract.at(left[power], self.output_tokens, self.shares * prompt**power)
            left[power, 0] += float(self.shares @ prompt**power)
        alive, prompts, squares = np.cumsum(left, axis=1)[:, :count]
        age = np.arange(count, dtype=float)
        gone = age >= int(self.output_tokens.max())
        tables = alive, prompts + age * alive, (squares + 2 * age * prompts + age**2 * alive) / 2
        return Stages(*(np.where(gone, 0.0, np.maximum(table, 0.0)) for table in tables))


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """Per admitted request and age s (iterations it has had), arrays of shape ``(count,)``.

    Parameters
    ----------
    alive : ndarray of float64
        ``P(o > s)``: it takes part in a further iteration.
    cached_tokens : ndarray of float64
        ``E[(l + s); o > s]``: KV tokens it holds after that iteration; also what a recomputation would process.
    attention : ndarray of float64
        ``E[(l + s)^2 / 2; o > s]``: chunk attention of that recomputation, tokens squared.
    """

    alive: Floats
    cached_tokens: Floats
    attention: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Inflow:
    """Arrivals whose rate and lengths change at the same known times.

    Parameters
    ----------
    profile : RateProfile
        Requests per second, for the whole fleet.
    mixes : tuple of LengthMix
        One for each piece of the profile, or one for all of them.
    """

    profile: RateProfile
    mixes: tuple[LengthMix, ...]

    def __post_init__(self) -> None:
        if len(self.mixes) not in {1, len(self.profile.starts_s)}:
            raise InputError(
                f"Inflow: {len(self.mixes)} mixes for {len(self.profile.starts_s)} pieces: one for each, or one for all"
            )

    @classmethod
    def of(cls, profile: RateProfile, demand: Demand) -> Inflow:
        """One mix at all times: that of a workload, or of classes in proportion to their rates."""
        return cls(profile, (LengthMix.of(demand),))

    @classmethod
    def of_classes(cls, profiles: Sequence[RateProfile], classes: Sequence[ClassRate]) -> Inflow:
        """Classes with a profile each, none periodic: the pieces are cut wherever one of the rates changes.

        Raises
        ------
        InputError
            When their numbers differ or a profile is periodic.
        """
        if len(profiles) != len(classes) or any(profile.period_s is not None for profile in profiles):
            raise InputError("Inflow.of_classes: needs one profile without period for each class")
        ends = {profile.end_s for profile in profiles if np.isfinite(profile.end_s)}
        starts = sorted({*ends, *(start for profile in profiles for start in profile.starts_s)})
        rates = np.array([[profile.rate_per_s_at(start) for profile in profiles] for start in starts])
        inputs = np.array([c.input_tokens for c in classes], dtype=np.int64)
        outputs = np.array([c.output_tokens for c in classes], dtype=np.int64)
        totals = rates.sum(axis=1)
        even = np.full(len(classes), 1 / len(classes))
        shares = [row / total if total > 0 else even for row, total in zip(rates, totals.tolist(), strict=True)]
        mixes = tuple(LengthMix(inputs, outputs, share) for share in shares)
        return cls(RateProfile(tuple(starts), tuple(totals.tolist())), mixes)

    @classmethod
    def of_windows(cls, workload: Workload, window_s: float) -> Inflow:
        """A trace by windows of `window_s` seconds from time 0: each has its own rate and its own mix."""
        profile = RateProfile.of_windows(workload, window_s)
        edges = np.searchsorted(workload.arrival_s, [*profile.starts_s[1:], np.inf])
        mixes, first = [], 0
        for last in edges.tolist():
            rows = slice(first, last) if last > first else slice(max(first - 1, 0), max(first, 1))
            count = len(workload.arrival_s[rows])
            shares = np.full(count, 1 / count)
            mixes.append(LengthMix(workload.input_tokens[rows], workload.output_tokens[rows], shares))
            first = last
        return cls(profile, tuple(mixes))

    def mix_at(self, time_s: float) -> int:
        """Which of `mixes` holds at a time (from it on, where it changes)."""
        return 0 if len(self.mixes) == 1 else self.profile.piece_at(time_s)
