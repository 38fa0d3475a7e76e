"""The ARES experiments as one page of Markdown."""

from __future__ import annotations

from experiments.render.markdown import pipe_table
from experiments.reproductions.ares.numbers import judged
from experiments.reproductions.ares.results import Results
from experiments.reproductions.ares.setting import BASE, FAMILIES, LEVEL, Sweep
from experiments.reproductions.ares.text import remarks, setup
from experiments.reproductions.judgements import counted, made_by, tables
from orsched.gap_table import percent
from orsched.statistics.estimate import Estimate, estimate

RULES = (
    "- The paper's numbers on TPOT and goodput are *not comparable*: what they were measured on is not published in "
    "what we read, and ours shows that they depend on it. `ours` gives the range over our settings.\n"
    "- *P99 TPOT falls* is reproduced in a setting when the 95% interval of the relative change, paired by path, lies "
    "below zero. That is a direction, not the published size, and one test per setting without correction for their "
    "number.\n"
    "- The change of the predictor's error is reproduced when it lies in our interval.\n"
    "- Everything else is *not reproduced*.\n\n"
    "`paper`: stated in the paper's abstract. `reported`: as third parties report it."
)

HEADERS = (
    "load",
    "rescheduling by",
    "P50 TPOT (ms)",
    "P99 TPOT (ms)",
    "against none (%)",
    "within objective (%)",
    "preemptions",
    "migrations",
    "above balance (%)",
)


def page(results: Results, quick: bool, figure: str) -> str:
    """The same results give the same text: there is no time and no machine in it."""
    entries = judged(results)
    parts = [
        "# ARES / STAR: rescheduling of decode instances by predicted load, ours beside the published numbers",
        "arXiv 2510.13668: ARES (v1), renamed STAR (v2). Its formulas, devices, workloads and baselines are not in "
        "what we could read. What runs here is a reference design of ours ([ares.md](../ares.md)) on a "
        "setting of ours: it is not the paper's system, and nothing here refutes or confirms its measurements.",
        made_by("ares", results.seed, quick, "few and short sample paths, not every sweep"),
        "## Outcome",
        counted(entries),
        RULES,
        *tables(entries),
        "## Set-up",
        *setup(results),
        "## Results",
        _legend(results),
        f"![P99 TPOT against load]({figure})",
    ]
    for sweep in results.sweeps:
        parts += _sweep(results, sweep)
    parts += ["## Remarks", *remarks(results)]
    return "\n\n".join(parts) + "\n"


def _legend(results: Results) -> str:
    sweep = results.sweeps[0]
    return (
        f"Mean ± 95% half-width over {sweep.replications} paths of {sweep.requests:,} requests, the same for all. "
        "TPOT: from the first token to the last, per token after the first; waiting for a decode instance and "
        "recomputation included. TPOT and objective: arrivals between 20% and 80% of a path. Preemptions (a decode "
        "instance ran out of memory, and a request recomputes) and migrations: of the whole path. `above balance`: how "
        "much longer the longest decode iteration of the four is than it must be, wherever the same requests sit "
        "(`fluid.fleets.balance_of_run`), over samples up to the last arrival. Load 1 is the edge of the planning LP's "
        "capacity region for the decode instances: beyond it queues grow with the length of the path."
    )


def _sweep(results: Results, sweep: Sweep) -> list[str]:
    table = [_cells(results, sweep, load, family) for load in sweep.loads for family in FAMILIES]
    parts = [
        f"### {sweep.title} (`{sweep.name}`)",
        f"{sweep.fleet.name}; a pass every {sweep.period_s:g} s; objective {1000 * sweep.slo.tpot_s:.1f} ms per token; "
        f"load 1 is {sweep.rate_per_s(1.0):.3g} requests/s.",
        pipe_table(HEADERS, table),
    ]
    if len(sweep.loads) > 2:
        rows = [
            (family, str(estimate(results.goodputs(sweep, family))), _ratio(results.goodput_ratio(sweep, family)))
            for family in FAMILIES
        ]
        parts += [
            f"Goodput: the largest rate at which {LEVEL:.0%} are within the objective, interpolated between the loads, "
            f"at most {sweep.rate_per_s(sweep.loads[-1]):.3g}, the largest tried: paths that keep the level there "
            "count with it, which draws ratios towards 1.",
            pipe_table(("rescheduling by", "goodput (1/s)", f"over {BASE}"), rows),
        ]
    return parts


def _cells(results: Results, sweep: Sweep, load: float, family: str) -> tuple[str, ...]:
    def scaled(metric: str, factor: float) -> str:
        return str(estimate([factor * value for value in results.column(sweep, load, family, metric)]))

    return (
        f"{load:g}",
        family,
        scaled("tpot_p50_s", 1000),
        scaled("tpot_p99_s", 1000),
        "" if family == BASE else str(percent(results.change(sweep, load, family))),
        scaled("attainment", 100),
        scaled("preemptions", 1),
        scaled("migrations", 1),
        scaled("unbalance", 100),
    )


def _ratio(ratio: Estimate | None) -> str:
    return "" if ratio is None else str(ratio)
