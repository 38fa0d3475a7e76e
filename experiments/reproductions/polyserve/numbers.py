"""What is published about PolyServe, beside ours."""

from __future__ import annotations

from experiments.reproductions.judgements import Judgements
from experiments.reproductions.polyserve.hours import SCALED
from experiments.reproductions.polyserve.results import Results
from experiments.reproductions.polyserve.setting import OURS, Sweep
from experiments.reproductions.published import Judged, Mark
from experiments.reproductions.verdict import Outcome, Verdict, interval, not_comparable
from orsched.gap_table import percent
from orsched.statistics.estimate import Estimate, estimate

UNKNOWN = "model, devices, traces, tiers, baselines, attainment level and meaning of optimal are not known to us"
GROUPS = (
    "What the paper measured",
    "Whether its goodput is above that of existing policies at all",
    "What its design rests on",
)


def judged(results: Results) -> Judgements:
    """Every published number with its heading."""
    return [
        *((GROUPS[0], entry) for entry in _headline(results)),
        *((GROUPS[1], _higher(results, sweep)) for sweep in results.sweeps),
        *((GROUPS[2], entry) for entry in _design(results)),
    ]


def _headline(results: Results) -> list[Judged]:
    optimal = [percent(results.of_optimal(sweep, OURS)) for sweep in results.sweeps]
    entries = [("goodput of optimal, up to", "92.5%", Mark.PAPER, _range(optimal, "%"))]
    for what, published, mark, apart in (
        ("goodput over existing policies (reported: prompts and decodes apart)", "1.23 times", Mark.PAPER, True),
        ("goodput over existing policies, co-located", "1.18 times", Mark.REPORTED, False),
    ):
        found = [_over_best(results, sweep) for sweep in results.sweeps if bool(sweep.prefills) == apart]
        entries.append((what, published, mark, _range([one for one in found if one is not None], " times")))
    return [Judged(what, text, mark, ours, not_comparable(UNKNOWN)) for what, text, mark, ours in entries]


def _over_best(results: Results, sweep: Sweep) -> Estimate | None:
    return results.ratio(sweep, OURS, results.best_baseline(sweep))


def _range(found: list[Estimate], unit: str) -> str:
    """The least and the greatest, over the settings."""
    ordered = sorted(found, key=lambda one: one.mean)
    return f"{ordered[0]}{unit} to {ordered[-1]}{unit}, by setting" if ordered else ""


def _higher(results: Results, sweep: Sweep) -> Judged:
    best = results.best_baseline(sweep)
    what = f"goodput above the best baseline's (`{best}`), `{sweep.name}`"
    return _above_one(what, "higher", Mark.PAPER, _over_best(results, sweep))


def _design(results: Results) -> list[Judged]:
    entries = []
    for sweep in results.ablated:
        lazy = results.ratio(sweep, "defaults", "promotion: eager")
        what = f"goodput: lazy promotion over eager, `{sweep.name}`"
        entries.append(_above_one(what, "higher", Mark.REPORTED, lazy))
    for pattern in dict.fromkeys(task.pattern for task in results.hours):
        most, least = (results.hours_column(pattern, way, "servers") for way in SCALED)
        ratio = estimate([other / one for one, other in zip(most, least, strict=True)])
        what = f"server-hours: least-loaded order over most-loaded, `{pattern}` arrivals"
        entries.append(_above_one(what, "higher", Mark.REPORTED, ratio))
    return entries


def _above_one(what: str, published: str, mark: Mark, ratio: Estimate | None) -> Judged:
    """Whether a ratio's interval lies above 1."""
    if ratio is None:
        return Judged(what, published, mark, "", not_comparable("below the smallest load on some path"))
    least, most = interval(ratio)
    if least > 1:
        verdict = Verdict(Outcome.REPRODUCED)
    else:
        verdict = Verdict(Outcome.NOT_REPRODUCED, "it is lower here" if most < 1 else "our interval contains 1")
    return Judged(what, published, mark, f"{ratio} times", verdict)
