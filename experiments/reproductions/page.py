"""A reproduction as one page of Markdown."""

from __future__ import annotations

from collections import Counter

from experiments.render.markdown import pipe_table
from experiments.reproductions.cell import Cell
from experiments.reproductions.judgements import Judgements, counted, made_by, tables
from experiments.reproductions.reproduction import Reproduction
from experiments.reproductions.sampling import WINDOW
from experiments.reproductions.study import Study
from experiments.reproductions.sweep import Sweep
from experiments.reproductions.verdict import RULES, Outcome
from orsched.gap_table import percent
from orsched.statistics.estimate import estimate

HEADERS = (
    "rate (1/s)",
    "requests",
    "load",
    "policy",
    "information",
    "setting",
    "mean latency (s)",
    "mean TTFT (s)",
    "bound (s)",
    "gap (%)",
    "restarts",
    "keeps up",
)


def page(reproduction: Reproduction, study: Study, quick: bool, figures: dict[str, str]) -> str:
    """The page; `figures` maps names of sweeps to the file names of their figures.

    The same study gives the same text: there is no time and no machine in it.
    """
    items = reproduction.published()
    judged = [(item.group, item.judged(study)) for item in items]
    parts = [
        f"# {reproduction.title}",
        f"{reproduction.source}.",
        made_by(reproduction.name, study.seed, quick, "fewer and shorter sample paths, a coarse grid, not every sweep"),
        "## Outcome",
        counted(judged),
        pipe_table(("published", *(outcome.value for outcome in Outcome)), _by_group(judged)),
        "\n".join(f"- {rule}" for rule in RULES),
        "`paper`: stated in the paper. `code`: read in the authors' public repository, in result files or progress "
        "notes.",
        *tables(judged),
        "## Set-up",
        *reproduction.setup(study),
        "### How it is measured",
        _measured(study),
        "## Results",
        "Mean ± 95% half-width over the sample paths. `bound`: mean over the paths of the best valid pathwise bound "
        "on the mean latency (`fluid.bounds`), which no policy beats whatever it knows; `gap`: how far the mean "
        "latency of the whole path is above it, path by path. `load`: 1 is the most that any policy sustains "
        "(`fluid.capacity`). `restarts`: per request. `keeps up`: by the stability rule of gap tables, and in how "
        "many paths it did not.",
        *(part for sweep in study.sweeps for part in _sweep(study, sweep, figures.get(sweep.name))),
        "## Remarks",
        *reproduction.remarks(study),
    ]
    return "\n\n".join(parts) + "\n"


def _by_group(judged: Judgements) -> list[tuple[str, ...]]:
    counts = Counter((group, entry.verdict.outcome) for group, entry in judged)
    return [(group, *(str(counts[group, o]) for o in Outcome)) for group in dict.fromkeys(name for name, _ in judged)]


def _measured(study: Study) -> str:
    first, last = (f"{share:.0%}" for share in WINDOW)
    budgets = "; ".join(
        f"`{sweep.name}` {sweep.replications} paths, caps {_caps(sweep)} on {sweep.tuning_replications} others"
        for sweep in study.sweeps
    )
    return (
        f"Times are means over the arrivals between {first} and {last} of a path (the paper: a middle window, width "
        "not published); bounds, gaps and restarts cover whole paths. A path ends when all its requests are complete. "
        "All policies meet the same paths, and paths at different rates are the same up to the scale of time. Each "
        "policy has one tuning variable, the cap on requests in service, chosen at each point from one grid by the "
        "least mean latency on paths drawn from another random stream: the same number of simulations, of the same "
        f"paths, for all policies. {budgets}."
    )


def _caps(sweep: Sweep) -> str:
    return f"{sweep.caps[0]}" if len(sweep.caps) == 1 else f"{sweep.caps[0]} to {sweep.caps[-1]} ({len(sweep.caps)})"


def _sweep(study: Study, sweep: Sweep, figure: str | None) -> list[str]:
    parts = [f"### {sweep.title} (`{sweep.name}`)", f"Device: {sweep.fleet.name}."]
    if figure is not None:
        parts.append(f"![Mean latency against arrival rate, {sweep.name}]({figure})")
    return [*parts, pipe_table(HEADERS, map(_cells, study.cells(sweep)))]


def _cells(cell: Cell) -> tuple[str, ...]:
    head = (f"{cell.point.rate_per_s:g}", f"{cell.point.requests:,}", f"{cell.load:.3f}", cell.family)
    if not cell.rows:
        return (*head, "", f"no cap: {cell.found['reason']}", *[""] * 6)
    unstable = sum(not row["stable"] for row in cell.rows)
    verdict = ("yes" if cell.stable else "no") + (f" ({unstable}/{len(cell.rows)} no)" if unstable else "")
    return (
        *head,
        cell.found["information"],
        setting(cell),
        str(cell.estimate()),
        str(cell.estimate("ttft_mean_s")),
        f"{estimate(cell.bounds_s).mean:.3g}",
        str(percent(estimate(cell.gaps))),
        f"{cell.estimate('preemptions_per_request').mean:.3g}",
        verdict,
    )


def setting(cell: Cell) -> str:
    """Cap and thresholds in a few words."""
    settings = cell.found["settings"]
    text = f"cap {cell.cap}"
    if "thresholds" in settings:
        text += f", n = {', '.join(map(str, settings['thresholds']))}"
        if settings["stage_iterations"] > 1:
            text += f", stages of {settings['stage_iterations']}"
    return text
