"""What ARES / STAR publishes, beside ours."""

from __future__ import annotations

from experiments.reproductions.ares.results import Results
from experiments.reproductions.ares.setting import OURS, Sweep
from experiments.reproductions.published import Judged, Mark
from experiments.reproductions.verdict import Outcome, Verdict, interval, judge_gain, not_comparable
from orsched.gap_table import percent
from orsched.statistics.estimate import Estimate

UNKNOWN = "workload, devices, numbers of instances, rates, objective and baseline are not published in what we read"
LENGTHS = "follows from the lengths, which are not published"
GROUPS = ("What the paper measured", "Whether rescheduling by predicted load helps at all", "The predictor")


def judged(results: Results) -> list[tuple[str, Judged]]:
    """Every published number with its heading."""
    return [
        *(
            (GROUPS[0], Judged(what, text, Mark.PAPER, ours, not_comparable(UNKNOWN)))
            for what, text, ours in _headline(results)
        ),
        *((GROUPS[1], _direction(results, sweep)) for sweep in results.sweeps),
        *((GROUPS[2], entry) for entry in _predictor(results)),
    ]


def _headline(results: Results) -> list[tuple[str, str, str]]:
    changes = [results.change(sweep, load, OURS) for sweep in results.sweeps for load in sweep.loads]
    least, most = (f"{percent(one)}%" for one in (max(changes, key=_mean), min(changes, key=_mean)))
    found = [results.goodput_ratio(sweep, OURS) for sweep in results.sweeps if results.reaches_limit(sweep)]
    ratios = [ratio for ratio in found if ratio is not None]
    tpot = f"{least} to {most}, by load, device and hand-off"
    goodput = f"{min(ratios, key=_mean)} to {max(ratios, key=_mean)} times, by device and hand-off" if ratios else ""
    return [
        ("P99 TPOT, v1 (ARES)", "-74.77%", tpot),
        ("P99 TPOT, v2 (STAR)", "-75.1%", tpot),
        ("goodput, v1 (ARES), up to", "2.24 times", goodput),
        ("goodput, v2 (STAR), up to", "2.63 times", goodput),
    ]


def _direction(results: Results, sweep: Sweep) -> Judged:
    change = results.change(sweep, 1.0, OURS)
    least, most = interval(change)
    if most < 0:
        verdict = Verdict(Outcome.REPRODUCED)
    else:
        verdict = Verdict(Outcome.NOT_REPRODUCED, "it rises here" if least > 0 else "our interval contains 0")
    what = f"P99 TPOT falls, `{sweep.name}`, load 1"
    return Judged(what, "falls", Mark.PAPER, f"{percent(change)}%", verdict)


def _predictor(results: Results) -> list[Judged]:
    entries = []
    for name, what in (("refreshed", "error falls while tokens are generated"), ("flat", "relative error stays")):
        change = results.error_change(name)
        verdict = judge_gain(0.4942, 0.4942, Estimate(-change.mean, change.half_width, change.n))
        entries.append(Judged(f"MAE, `{name}`: {what}", "-49.42%", Mark.PAPER, f"{percent(change)}%", verdict))
    for name, tokens in (("refreshed", "3,873.21"), ("static", "7,658.14")):
        mean = sum(results.error(name)) / len(results.error(name))
        entries.append(Judged(f"MAE, `{name}`, tokens", tokens, Mark.REPORTED, f"{mean:,.0f}", not_comparable(LENGTHS)))
    return entries


def _mean(value: Estimate) -> float:
    return value.mean
