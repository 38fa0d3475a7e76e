"""From findings to everything the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.report.charts.distribution import distribution_figures
from experiments.report.charts.gap import gap_figure
from experiments.report.charts.over_time import over_time_figure
from experiments.report.charts.pareto import pareto_figure
from experiments.report.charts.time_line import time_line_figure
from experiments.report.contents import Contents, Part
from experiments.report.figure import Figure
from experiments.report.hardware import hardware_cards
from experiments.report.scene_search import SceneSearch
from experiments.report.setting import Setting
from experiments.report.settings import settings_of
from experiments.report.summary import sentences
from experiments.report.tables.bound_use import bound_use_table
from experiments.report.tables.bounds import VALIDITY, bounds_table
from experiments.report.tables.gaps import gap_table
from experiments.report.tables.metrics import metrics_tables
from experiments.report.tables.overview import overview_table
from experiments.report.tables.trouble import trouble_table
from experiments.report.versions import versions
from orsched.gap_table import GAP_METRIC

if TYPE_CHECKING:
    from experiments.findings import Findings


MOST_SERIES = 40
"""Most series in a chart: more cannot be told apart."""

MOST_CHARTED = 60
"""Most settings with charts; more would make the page too large to send."""


def contents_of(findings: Findings) -> Contents:
    """Gather what the report shows of an experiment, finished or not.

    Raises
    ------
    InputError
        When the folder lacks its specification or its plan.
    MismatchError
        When a policy did better than a pathwise bound allows.
    """
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):  # charts are ours and tested: checking each against the schema would take most of the time
        return _contents(findings)


def _contents(findings: Findings) -> Contents:
    settings = settings_of(findings)
    scenes = SceneSearch(findings)
    failures = [(failure.what, failure.traceback) for failure in findings.failures()]
    return Contents(
        title=findings.spec.description,
        chips=_chips(findings, settings),
        parts=[_part(setting, scenes, charted=number < MOST_CHARTED) for number, setting in enumerate(settings)],
        overview=overview_table(settings),
        trouble=trouble_table(settings, failures),
        validity=tuple(VALIDITY.items()),
        bound_use=bound_use_table(settings),
        hardware=hardware_cards(findings.spec),
        specification=findings.spec.to_toml(),
        versions=versions(findings),
        unfinished=_unfinished(findings),
    )


def _part(setting: Setting, scenes: SceneSearch, charted: bool) -> Part:
    figures, left_out = _figures(setting, scenes) if charted else ([], [f"Only {MOST_CHARTED} settings have charts."])
    metrics = dict.fromkeys([GAP_METRIC, *setting.gap_metrics]) if setting.ran else {}
    return Part(
        setting=setting,
        sentences=sentences(setting),
        figures=figures,
        gaps=[gap_table(setting, metric) for metric in metrics],
        tables=[*metrics_tables(setting), *([bounds_table(setting)] if len(setting.bounds) else [])],
        left_out=left_out,
    )


def _figures(setting: Setting, scenes: SceneSearch) -> tuple[list[Figure], list[str]]:
    """The charts, and what is not in them."""
    left_out = []
    if len(setting.series) > MOST_SERIES:
        left_out.append(f"Charts show the first {MOST_SERIES} of {len(setting.series)} policies; tables have all.")
    drawn = setting.first(MOST_SERIES)
    figures: list[Figure | None] = [gap_figure(drawn), pareto_figure(drawn), *distribution_figures(drawn)]
    scene = scenes.scene(drawn)
    if isinstance(scene, str):
        left_out.append(scene)
    else:
        figures += [over_time_figure(drawn, scene), time_line_figure(drawn, scene)]
    return [figure for figure in figures if figure is not None], left_out


def _chips(findings: Findings, settings: list[Setting]) -> list[str]:
    spec = findings.spec
    places = {"load": "loads", "rate_per_s": "rates", "scale": "scales"}[spec.axis]
    most = max((setting.table.replications for setting in settings), default=0)
    counts = [
        (len(spec.workloads), "workloads"),
        (len(spec.fleets), "fleets"),
        (len(spec.policies), "policies"),
        (len(spec.points), places),
        *([(most, "replications")] if most else []),
        (spec.requests, "requests each" + (" at scale 1" if spec.axis == "scale" else "")),
    ]
    return [f"{count:,} {word.replace('ies', 'y').rstrip('s') if count == 1 else word}" for count, word in counts]


def _unfinished(findings: Findings) -> str:
    status = findings.tasks()["status"]
    counts = {name: int((status == name).sum()) for name in ("missing", "failed")}
    parts = [f"{count:,} of {len(status):,} tasks {name}" for name, count in counts.items() if count]
    if findings.damaged:
        parts.append(f"{len(findings.damaged):,} damaged files left out")
    if not parts:
        return ""
    if not counts["failed"]:
        return f"{'; '.join(parts)}. Run the specification again to go on."
    return f"{'; '.join(parts)}. Run the specification again with --retry-failed to go on and try these again."
