"""Goodput that no policy exceeds when every token has to keep its tier's limit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fluid.certify import certify
from fluid.fleets.goodput_programme import GoodputProgramme
from fluid.fleets.tier import Tier, require_tiers
from fluid.programme import SolverError, solve
from fluid.subject import fleet_subject
from orsched.bound import Bound
from orsched.fleet import Fleet

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class GoodputBound:
    """Optimum of a goodput LP.

    Parameters
    ----------
    bound : Bound
        On weighted completions per second (``goodput_weighted_per_s``) or on the common multiplier of all rates
        (``goodput_multiplier``), with ``mean_tpot_`` before it for the other reading of TPOT; certified from the dual
        in exact arithmetic.
    tiers : tuple of Tier
        What was asked for.
    rates_per_s : tuple of float
        Completions per second of each tier at the optimum of the LP.
    status : str
        What the solver said.
    """

    bound: Bound
    tiers: tuple[Tier, ...]
    rates_per_s: tuple[float, ...]
    status: str

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per tier: limits, offered rate and rate at the LP's optimum."""
        return [
            {
                "tier": t.name,
                "tpot_s": t.tpot_s,
                "ttft_s": t.ttft_s,
                "offered_per_s": t.rate_per_s,
                "lp_rate_per_s": rate,
            }
            for t, rate in zip(self.tiers, self.rates_per_s, strict=True)
        ]


def goodput_bound(
    tiers: Sequence[Tier], fleets: Sequence[Fleet], *, scaled: bool = False, time_limit_s: float | None = None
) -> GoodputBound:
    """Bound the goodput of several tiers on a fleet of several chips, for every policy.

    **What counts.** A request of tier k is *good* if it completes, its first token comes within ``TTFT_k`` of its
    arrival, and every later token within ``TPOT_k`` of the one before. Goodput is the long-run rate of good
    completions, weighted by tier; or, with `scaled`, the largest s such that all classes complete at s times
    their rates and all are good.

    **Class of policies.** All, whatever they know: any routing, batching, chunking, pausing, eviction with
    recomputation, migration and prefill-decode split, with KV transfers free, on the given instances at their
    neutral operating point, one token per request and iteration. It does *not* bound goodput by the mean time per
    token of a request, where a token may take longer and the next ones make up for it: that is
    `fluid.fleets.mean_tpot_goodput_bound`, valid for both readings.

    **Proof.** Look at a policy over a long time, per second. Let a good request *take part* in an iteration that
    processes its first prefill (stage limit ``TTFT_k``), a later token of it, or a chunk of a re-prefill after an
    eviction (stage limit ``TPOT_k``). Such an iteration lies within the time to the first token, or
    between two tokens, so it is not longer than the stage's limit. Call *level* of an iteration the smallest
    stage limit among those who take part: the iteration is not longer than its level, and a tier takes part
    at levels up to its limits only. Assign to each level its iterations N, their total time y, and what good
    requests do in them: prompt tokens p and attention a of first prefills, decodes d and their reads r. A re-prefill of
    ``n + 1`` tokens stands for the decode it replaces (which would read n): a chunk of p of its tokens counts as ``p /
    (n + 1)`` of it, takes no less time (`fluid.modes.batches.chunk_minorants`), holds ``>= p`` tokens and a seat. Then
    every row of `GoodputProgramme` holds: minorants are below iteration times, and what bad requests add is not
    negative; residents of an iteration hold at least the ``r + d + p`` of those who take part; each takes one seat
    and a chunk is at most the longest prompt; a decode reads between ``l`` and ``l + o - 2`` tokens; a chunk of p
    tokens has attention ``p (past + p/2) <= p l``; and per completed request the amounts add up to ``o - 1``, ``v``,
    ``l`` and ``l^2 / 2``, however it is cut and wherever it runs. So its rates are feasible, and the optimum
    is at least its goodput. Servers are shared freely among tiers, at the tighter limit: iterations of level
    h carry any tier with limits of at least h.

    Parameters
    ----------
    tiers : sequence of Tier
        Rates, lengths and limits.
    fleets : sequence of Fleet
        Each kind of chip and how many there are.
    scaled : bool
        Bound the common multiplier instead of the weighted rate.
    time_limit_s : float, optional
        For the solver; the bound is then what its dual proves at that time.

    Examples
    --------
    >>> from fluid import ClassRate
    >>> from orsched import Hardware
    >>> from orsched.service import Affine
    >>> gpu = Hardware("gpu", Affine(0.012, 60e-6, 50e-6, 0.12e-6), kv_capacity_tokens=100_000)
    >>> tiers = [Tier("chat", 0.03, (ClassRate(9.0, 500, 250),)), Tier("batch", 0.2, (ClassRate(9.0, 500, 250),))]
    >>> found = goodput_bound(tiers, [Fleet.identical(gpu, 2)], scaled=True)
    >>> round(found.bound.value, 3), found.bound.certified
    (1.374, True)
    """
    require_tiers(tiers)
    written = GoodputProgramme(tiers, fleets, scaled=scaled)
    metric = "goodput_multiplier" if scaled else "goodput_weighted_per_s"
    return solved(written, "tier-goodput-lp", metric, time_limit_s)


def solved(written: GoodputProgramme, name: str, metric: str, time_limit_s: float | None) -> GoodputBound:
    """Solve a goodput LP and prove its optimum from the dual.

    Raises
    ------
    SolverError
        When the solver gives no dual vector.
    """
    relaxed = written.programme.relaxed()
    solution = solve(relaxed, time_limit_s=time_limit_s)
    if solution.duals is None:
        raise SolverError(f"goodput programme: the solver says {solution.status!r}; it is feasible and bounded")
    claim = solution.value if solution.status == "optimal" and solution.value else None
    proved = float(certify(relaxed, solution.duals, claim))
    facts = {
        "duals": dict(zip(relaxed.rows, solution.duals.tolist(), strict=True)),
        "status": solution.status,
        "relative_tolerance": _TOLERANCE,
    }
    subject = tiers_subject(written.tiers, written.fleets)
    bound = Bound(name, proved * (1 + _TOLERANCE), "upper", metric, "fluid", True, subject, facts)
    rates = () if solution.primal is None else written.rates_per_s(solution.primal)
    return GoodputBound(bound, tuple(written.tiers), rates, solution.status)


def tiers_subject(tiers: Sequence[Tier], fleets: Sequence[Fleet]) -> str:
    """Identify tiers on fleets, as `fluid.subject.subject` does a sample path."""
    digest = hashlib.blake2b(repr(tuple(tiers)).encode(), digest_size=8).hexdigest()
    return f"{len(tiers)} tiers {digest} on {' + '.join(fleet_subject(fleet) for fleet in fleets)}"
