"""The PolyServe experiments as one page of Markdown."""

from __future__ import annotations

from experiments.render.markdown import pipe_table
from experiments.reproductions.judgements import counted, made_by, tables
from experiments.reproductions.polyserve.hours import SCALED
from experiments.reproductions.polyserve.numbers import judged
from experiments.reproductions.polyserve.plan_of_tiers import planned_per_s
from experiments.reproductions.polyserve.results import Results
from experiments.reproductions.polyserve.setting import LEVEL, LOADS, OURS, SHOWN_LOAD, STRICT, Sweep
from experiments.reproductions.polyserve.text import RULES, legend, remarks, setup
from orsched.gap_table import percent
from orsched.statistics.estimate import Estimate, estimate

HEADERS = (
    "policy",
    "setting",
    "goodput (1/s)",
    "of optimal (%)",
    "PolyServe over it",
    f"of optimal, {STRICT:.0%} (%)",
    "of optimal, mean TPOT (%)",
    f"within at {SHOWN_LOAD:g} (%)",
    "worst tier (%)",
    "preemptions",
)


def page(results: Results, quick: bool, figure: str) -> str:
    """The same results give the same text: there is no time and no machine in it."""
    entries = judged(results)
    parts = [
        "# PolyServe: serving several objectives with one fleet, ours beside the published numbers",
        "arXiv 2507.17769 v1. We know its rules from descriptions at second hand and two headline numbers from its "
        "abstract; its model, devices, traces, tiers and baselines are unknown to us. What runs here is our version "
        "([polyserve.md](../polyserve.md)) on settings of ours: nothing here refutes or confirms its measurements.",
        made_by("polyserve", results.seed, quick, "few policies, small fleets, short paths"),
        "## Outcome",
        counted(entries),
        RULES,
        *tables(entries),
        "## Set-up",
        *setup(results),
        "## Results",
        legend(results),
        f"![Goodput as a share of what is possible]({figure})",
    ]
    for sweep in results.sweeps:
        parts += _sweep(results, sweep)
    for sweep in results.ablated:
        parts += _ablations(results, sweep)
    parts += _hours(results)
    return "\n\n".join([*parts, "## Remarks", *remarks(results)]) + "\n"


def _sweep(results: Results, sweep: Sweep) -> list[str]:
    first = sweep.tiers[0].slo
    ttft = "" if first is None else f", TTFT {first.ttft_s:g} s"
    limit = estimate(results.bounds(sweep)["all_good"]["deadlines"])
    return [
        f"### {sweep.title} (`{sweep.name}`)",
        f"{sweep.instances} instances, TPOT {', '.join(tier.name for tier in sweep.tiers)}{ttft}. Load 1 is "
        f"{sweep.capacity_per_s:.1f} requests/s; every request can be good up to load {limit}; the fluid plan of tiers "
        f"reaches {planned_per_s(sweep) / sweep.capacity_per_s:.3f}.",
        pipe_table(HEADERS, (_cells(results, sweep, family) for family in sweep.families)),
    ]


def _cells(results: Results, sweep: Sweep, family: str) -> tuple[str, ...]:
    loads = results.goodputs(sweep, family)
    return (
        family,
        setting(results, sweep, family),
        "" if 0 in loads else str(estimate([load * sweep.capacity_per_s for load in loads])),
        _of_optimal(results, sweep, family),
        "" if family == OURS else _ratio(results.ratio(sweep, OURS, family)),
        _of_optimal(results, sweep, family, level=STRICT),
        _of_optimal(results, sweep, family, "mean_tpot"),
        str(percent(results.shown(sweep, family, "deadlines"))),
        str(percent(results.shown(sweep, family, "worst_tier"))),
        f"{results.shown(sweep, family, 'preemptions').mean:.3g}",
    )


def _of_optimal(results: Results, sweep: Sweep, family: str, scoring: str = "deadlines", level: float = LEVEL) -> str:
    """The share in %, or on how many paths the smallest load is too much."""
    loads = results.goodputs(sweep, family, scoring, level)
    if 0 in loads:
        return f"load below {LOADS[0]:g} on {loads.count(0)} of {len(loads)} paths"
    return str(percent(results.of_optimal(sweep, family, scoring, level)))


def setting(results: Results, sweep: Sweep, family: str) -> str:
    """The choice of a family."""
    choice = results.cell(sweep, family)["choice"]
    return ", ".join(f"{name} {value}" for name, value in choice.items()).replace("_", " ")


def _ablations(results: Results, sweep: Sweep) -> list[str]:
    rows = []
    for name in sweep.ablations:
        rows.append(
            (
                name,
                _of_optimal(results, sweep, name),
                _ratio(results.over_defaults(sweep, name)),
                str(percent(results.shown(sweep, name, "deadlines"))),
                str(percent(results.shown(sweep, name, "worst_tier"))),
                f"{results.shown(sweep, name, 'preemptions').mean:.3g}",
            )
        )
    headers = ("PolyServe with", "of optimal (%)", "over defaults", *HEADERS[-3:])
    return [
        f"### Parts of PolyServe changed in turn, `{sweep.name}`",
        "Untuned. `scaling: off`: every tier keeps the servers that the fluid plan gives it.",
        pipe_table(headers, rows),
    ]


def _hours(results: Results) -> list[str]:
    rows = []
    for task in results.hours:
        column = {name: results.hours_column(task.pattern, task.way, name) for name in ("servers", "deadlines")}
        worst = results.hours_column(task.pattern, task.way, "worst_tier")
        name = f"{OURS}, {task.way}" if task.way in SCALED else task.way
        rows.append(
            (
                task.pattern,
                name,
                str(estimate(column["servers"])),
                str(percent(estimate(column["deadlines"]))),
                str(percent(estimate(worst))),
            )
        )
    return [
        "### Server-hours",
        "Servers on, in the mean over a run: PolyServe with idle servers switched off, beside the smallest fleet that "
        f"stays on and keeps {LEVEL:.0%} within deadlines, found for each path by itself (all "
        f"{results.sweeps[0].instances} servers where none does).",
        pipe_table(("arrivals", "system", "servers", "within (%)", "worst tier (%)"), rows),
    ]


def _ratio(ratio: Estimate | None) -> str:
    return "" if ratio is None else str(ratio)
