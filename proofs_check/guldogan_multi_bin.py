"""Multi-bin batching (Guldogan, Kunde, Lee, Pedarsani; arXiv 2412.04504): batch times and waits.

Batches of B requests, as long as their longest member; lengths uniform on ``[lmin, lmax]``; k bins of equal width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from proofs_check.claim import Claim
from proofs_check.rules import Exhaustive, Instance, Near

PAPER = "arXiv 2412.04504"
TABLE = {1: 6.447, 2: 8.434, 4: 9.970, 8: 10.969, 32: 11.860, math.inf: 12.190}
"""Throughput by number of bins for B = 128 and lengths on [1, 20], to three decimals."""


def batch_time(bins: float, size: int, low: float, high: float) -> float:
    """E_k: ``(lmin + lmax)/2 + (lmax - lmin)(B - 1) / (2 k (B + 1))``."""
    return (low + high) / 2 + (high - low) * (size - 1) / (2 * bins * (size + 1))


def mean_batch_time(edges: Sequence[float], size: int) -> float:
    """Mean batch time of bins with these edges: ``(B l_i + l_{i-1}) / (B + 1)``, weighted by their shares."""
    bounds = np.asarray(edges, dtype=float)
    shares = np.diff(bounds) / (bounds[-1] - bounds[0])
    return float(shares @ ((size * bounds[1:] + bounds[:-1]) / (size + 1)))


def edges_of(x: Instance) -> list[float]:
    """Edges of equal bins."""
    return [float(edge) for edge in np.linspace(x["low"], x["high"], x["k"] + 1)]


def closed_form_slack(x: Instance) -> float:
    """Minus the relative distance of the closed form from the sum over bins."""
    return -abs(batch_time(x["k"], x["B"], x["low"], x["high"]) / mean_batch_time(edges_of(x), x["B"]) - 1)


def equal_bins_slack(x: Instance) -> float:
    """Relative excess of the mean batch time with random edges over that with equal ones."""
    edges = [x["low"], *(x["low"] + share * (x["high"] - x["low"]) for share in x["shares"]), x["high"]]
    return mean_batch_time(edges, x["B"]) / mean_batch_time(edges_of(x), x["B"]) - 1


def in_table(table: Mapping[float, float]) -> Callable[[Instance], float]:
    """Half a unit of a table's last decimal, less the distance of the throughput from it."""

    def slack(x: Instance) -> float:
        bins = math.inf if x["k"] is None else x["k"]
        return 0.0005 - abs(128 / batch_time(bins, 128, 1, 20) - table[bins])

    return slack


def longest_over(expected: Callable[[Instance], float]) -> Callable[[Instance], float]:
    """Longest of a batch from a random bin, relative to what is expected, minus 1."""
    return lambda x: float(max(x["lengths"]) / expected(x) - 1)


def wait_over(expected: Callable[[Instance], float]) -> Callable[[Instance], float]:
    """Mean time from arrival to full batch over its members, relative to what is expected, minus 1."""

    def slack(x: Instance) -> float:
        times = x["arrivals"]
        return float((times[-1] - np.mean(times)) / expected(x) - 1)

    return slack


def our_wait(x: Instance) -> float:
    """``k (B - 1) / (2 lambda)``."""
    return float(x["k"] * (x["B"] - 1) / (2 * x["rate"]))


def printed_wait(x: Instance) -> float:
    """``(B - 1) / (2 k)``, in units of ``1 / lambda``."""
    return float((x["B"] - 1) / (2 * x["k"] * x["rate"]))


def _system(rng: np.random.Generator) -> Instance:
    low, width = float(rng.uniform(0, 50)), float(rng.uniform(0.1, 100))
    bins, size = int(rng.integers(1, 41)), int(rng.integers(1, 257))
    shares = np.sort(rng.random(bins - 1)).tolist()
    return {"k": bins, "B": size, "low": low, "high": low + width, "shares": shares}


def _full_batch(rng: np.random.Generator) -> Instance:
    bins, size = int(rng.integers(1, 9)), int(rng.integers(2, 17))
    low, high = 1.0, 20.0
    width = (high - low) / bins
    begin = low + width * int(rng.integers(bins))
    return {"k": bins, "B": size, "low": low, "high": high, "lengths": rng.uniform(begin, begin + width, size).tolist()}


def _forming(rng: np.random.Generator) -> Instance:
    """One batch of the first bin: Poisson arrivals of rate lambda, each to a bin at random, until B came to it."""
    bins, size, rate = int(rng.integers(2, 9)), int(rng.integers(2, 17)), float(rng.uniform(0.5, 5))
    times: list[float] = []
    now = 0.0
    while len(times) < size:
        gaps = rng.exponential(1 / rate, bins * size)
        come = now + np.cumsum(gaps)
        times.extend(come[rng.integers(bins, size=len(come)) == 0].tolist())
        now = float(come[-1])
    return {"k": bins, "B": size, "rate": rate, "arrivals": times[:size]}


CLAIMS = (
    Claim(
        "guldogan-closed-form",
        "E_k = (lmin + lmax)/2 + (lmax - lmin)(B-1)/(2k(B+1)) is the mean over equal bins of (B l_i + l_{i-1})/(B+1)",
        f"{PAPER}, E[max in bin i] (reading note); closed form ours",
        _system,
        closed_form_slack,
    ),
    Claim(
        "guldogan-equal-bins",
        "equally spaced bins have the least mean batch time",
        f"{PAPER}, optimal bins (reading note)",
        _system,
        equal_bins_slack,
    ),
    Claim(
        "guldogan-table",
        "B/E_k is 6.447, 8.434, 9.970, 10.969, 11.860, 12.190 for k = 1, 2, 4, 8, 32, inf; B = 128, lengths on [1, 20]",
        f"{PAPER}, throughput; numbers ours (the note quotes 12.3 for the limit)",
        None,
        in_table(TABLE),
        Exhaustive(6),
        cases=lambda: ({"k": None if math.isinf(k) else k} for k in TABLE),
    ),
    Claim(
        "guldogan-simulated-batches",
        "the mean length of simulated batches is E_k",
        f"{PAPER}, throughput B/E_k (reading note)",
        _full_batch,
        longest_over(lambda x: batch_time(x["k"], x["B"], x["low"], x["high"])),
        Near(margin=0.03, quick_most=16_384),
    ),
    Claim(
        "guldogan-forming-wait",
        "the mean wait for a batch to form is k(B-1)/(2 lambda)",
        "ours",
        _forming,
        wait_over(our_wait),
        Near(margin=0.03, quick_most=16_384),
    ),
    Claim(
        "guldogan-forming-wait-printed",
        "the mean wait for a batch to form is (B-1)/(2k), time in units of 1/lambda",
        f"a reading note on {PAPER}, not the paper; the note also says that the wait grows with k",
        _forming,
        wait_over(printed_wait),
        Near(margin=0.03),
        known_false=True,
    ),
)
