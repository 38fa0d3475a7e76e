"""The exact placement of decoding requests in hindsight; for small cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fluid.branch_and_bound import conflict, relaxation_bound, solve_integer
from fluid.fleets.balance import BalanceCase
from fluid.fleets.balance_bounds import balance_bounds
from fluid.fleets.balance_greedy import greedy_placement
from fluid.fleets.balance_score import BalanceScore, score
from fluid.fleets.placement_programme import PlacementObjective, PlacementProgramme
from orsched.bound import Bound
from orsched.errors import InputError
from orsched.work import Ints

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class PlacementPlan:
    """The best placement found, and what is known about the optimum.

    Parameters
    ----------
    objective : {"worst_gap_s", "mean_worst_gap_s"}
        What was minimised.
    status : str
        ``optimal`` (by the solver's word, to 1e-6) or ``stopped`` (the time limit came first).
    seats : ndarray of int64, shape (jobs, periods), or None
        Instance of each job in each period; None when no placement was found in time.
    outcome : BalanceScore or None
        The placement evaluated with the service model itself.
    bounds : tuple of Bound
        Perfect balance and linear relaxation (certified), branch and bound (the solver's word, not certified).
    """

    objective: PlacementObjective
    status: str
    seats: Ints | None
    outcome: BalanceScore | None
    bounds: tuple[Bound, ...]

    @property
    def value(self) -> float | None:
        """Objective of `seats`, seconds."""
        return None if self.outcome is None else float(getattr(self.outcome, self.objective))

    @property
    def gap(self) -> float | None:
        """Relative distance of the plan from the best of `bounds`; None without a plan."""
        best = max(b.value for b in self.bounds)
        return None if self.value is None else (self.value - best) / best

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for the placement and one per bound: value (s), status, whether certified."""
        rows: list[dict[str, Any]] = [{"what": "placement", "value_s": self.value, "status": self.status}]
        for b in self.bounds:
            rows.append({"what": b.name, "value_s": b.value, "status": "certified" if b.certified else self.status})
        return rows


def best_placement(
    case: BalanceCase, objective: PlacementObjective, *, time_limit_s: float | None = None, subject: str = ""
) -> PlacementPlan:
    """Minimise the longest token gap, or its mean over rounds, over all placements that fit.

    The class of policies is that of `fluid.fleets.balance_bounds` with memory kept and migrations at period
    boundaries only, at their price; output lengths are known (hindsight). The programme is
    `PlacementProgramme`; a greedy placement is where the solver starts. For a service model whose decode
    iterations are the maximum of its affine minorants (affine and hinged ones are) the optimum is
    exact; for any other the bounds stay valid and the placement is good for the minorants.

    Parameters
    ----------
    case : BalanceCase
        Jobs, instances, periods and the price of migrations.
    objective : {"worst_gap_s", "mean_worst_gap_s"}
        As in `BalanceScore`.
    time_limit_s : float, optional
        After this long the incumbent and the dual bound reached are returned, labelled ``stopped``.
    subject : str
        For the bounds.

    Raises
    ------
    InputError
        When no placement fits; says which job, round or constraints are the reason.

    Examples
    --------
    >>> from orsched import Fleet, Hardware
    >>> from orsched.service import Affine
    >>> from fluid.fleets.balance import jobs_of
    >>> fleet = Fleet.identical(Hardware("gpu", Affine(0.01, 0, 0, 1e-6), 100_000), 2)
    >>> plan = best_placement(BalanceCase(jobs_of([5000, 4000, 3000, 2000], [3] * 4), fleet), "worst_gap_s")
    >>> plan.status, round(plan.value, 6), plan.seats[:, 0].tolist()
    ('optimal', 0.017004, [0, 1, 1, 0])
    """
    require_room(case)
    written = PlacementProgramme(case, objective)
    greedy = greedy_placement(case)
    start = None if greedy is None else written.point(greedy)
    found = solve_integer(written.programme, time_limit_s=time_limit_s, start=start)
    if found.status == "infeasible":
        raise InputError(f"no placement fits; these cannot hold together: {'; '.join(conflict(written.programme))}")
    facts = {"status": found.status, "relative_tolerance": _TOLERANCE}
    bounds = [b for b in balance_bounds(case).bounds(subject) if b.metric == objective]
    for name, value, certified in (
        ("placement-lp", relaxation_bound(written.programme), True),
        ("placement-branch-and-bound", found.bound, False),
    ):
        if value is not None:
            moved = value * written.unit_s * (1 - _TOLERANCE)
            bounds.append(Bound(name, moved, "lower", objective, "pathwise", certified, subject, facts))
    seats = None if found.primal is None else written.seats(found.primal)
    return PlacementPlan(objective, found.status, seats, None if seats is None else score(case, seats), tuple(bounds))


def require_room(case: BalanceCase) -> None:
    """Refuse what no placement can fit.

    Raises
    ------
    InputError
        Naming the job that is too large for an instance, or the round that is too full for all of them.
    """
    held, room, m = case.held(), case.usable_tokens(), case.fleet.size
    large = int(held.max(axis=1).argmax())
    if held[large].max() > room:
        raise InputError(f"job {large} grows to {held[large].max()} KV tokens, an instance holds {room}")
    totals = held.sum(axis=0)
    t = int(totals.argmax())
    if totals[t] > m * room:
        raise InputError(
            f"round {t}: the jobs hold {totals[t]} KV tokens, {m} instances of {room} hold {m * room}; "
            "add instances, or have fewer jobs at a time"
        )
    counts, most = (held > 0).sum(axis=0), case.fleet.hardware.max_num_seqs
    t = int(counts.argmax())
    if counts[t] > m * most:
        raise InputError(f"round {t}: {counts[t]} jobs, but {m} instances take at most {most} each")
