"""Measured times of an all-reduce over a group of chips."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from orsched.checks import check_numbers, check_whole
from orsched.errors import InputError


@dataclass(frozen=True, slots=True)
class AllReduce:
    """Times of an all-reduce over `gpus` chips, by the bytes that each of them holds.

    Parameters
    ----------
    gpus : int
        Size of the group, 2 or more.
    sizes_bytes, times_s : tuple of float
        Increasing bytes, two or more, and seconds.
    """

    gpus: int
    sizes_bytes: tuple[float, ...]
    times_s: tuple[float, ...]

    def __post_init__(self) -> None:
        check_whole(self, "gpus", least=2)
        sizes, times = check_numbers(self, "sizes_bytes"), check_numbers(self, "times_s")
        if len(sizes) < 2 or len(sizes) != len(times):
            raise InputError(f"AllReduce: {len(sizes)} sizes and {len(times)} times: must be as many, two or more")
        if any(b <= a for a, b in pairwise(self.sizes_bytes)):
            raise InputError("AllReduce.sizes_bytes: must increase")
        if times.max() > 1e6:
            raise InputError(f"AllReduce.times_s: {times.max():g} s, must be at most 1e6")

    def points(self) -> list[tuple[float, float]]:
        """Sizes with times that do not fall: one above that of a larger message was disturbed, and takes its time."""
        found: list[tuple[float, float]] = []
        least = self.times_s[-1]
        for size, time_s in zip(reversed(self.sizes_bytes), reversed(self.times_s), strict=True):
            least = min(least, time_s)
            found.append((size, least))
        return found[::-1]
