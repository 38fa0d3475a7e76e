"""Validations in the terminal and as table files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.validation.comparison import TARGETS, Comparison, relative
from experiments.validation.vllm_logs import NOTES, Validation
from orsched.atomic import write_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Group
    from rich.table import Table

LABELS = {"ttft": "TTFT", "tpot": "TPOT", "latency": "latency"}
CURVES = {"in_system": "in system", "running": "running", "waiting": "waiting", "kv_share": "KV memory in use"}


def to_rich(validations: Sequence[Validation]) -> Group:
    """Build one table per run, what goes with it, and how to read it."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Text | Table] = []
    for validation in validations:
        parts += [Text(line) for line in _heading(validation)]
        parts += [_table(validation), *(Text(line) for line in _below(validation)), Text()]
    verdicts = [comparison.met for validation in validations for comparison in validation.comparisons]
    parts.append(Text(f"{sum(verdicts)} of {len(verdicts)} targets met (the exit code is 0 either way)"))
    return Group(*parts, *(Text(f"note: {note}") for note in NOTES))


def metrics_frame(validations: Sequence[Validation]) -> pd.DataFrame:
    """One row per run, metric and statistic: measured_s, simulated_s, error; of means also target and published."""
    import pandas as pd

    rows = [
        {
            "run": validation.name,
            "metric": comparison.metric,
            "statistic": name,
            "measured_s": measured,
            "simulated_s": simulated,
            "error": relative(measured, simulated),
            "target": TARGETS[comparison.metric] if name == "mean" else None,
            "published_error": validation.published.get(comparison.metric) if name == "mean" else None,
        }
        for validation in validations
        for comparison in validation.comparisons
        for name, (measured, simulated) in comparison.statistics.items()
    ]
    return pd.DataFrame(rows)


def verdicts_frame(validations: Sequence[Validation]) -> pd.DataFrame:
    """One row per run and metric, on its mean over the requests.

    Columns: run, metric; error (signed, a fraction), error_low and error_high (95% interval of the error over resamples
    of the requests; missing for short logs), target (largest error that counts as met), met, published_error (of
    others, on this run), mean_absolute_error_s (seconds, request by request), correlation.
    """
    import pandas as pd

    rows = []
    for validation in validations:
        for comparison in validation.comparisons:
            low, high = comparison.interval or (None, None)
            rows.append(
                {
                    "run": validation.name,
                    "metric": comparison.metric,
                    "error": comparison.error,
                    "error_low": low,
                    "error_high": high,
                    "target": TARGETS[comparison.metric],
                    "met": comparison.met,
                    "published_error": validation.published.get(comparison.metric),
                    "mean_absolute_error_s": comparison.mean_absolute,
                    "correlation": comparison.correlation,
                }
            )
    numbers = ("error_low", "error_high", "published_error", "correlation")
    return pd.DataFrame(rows).astype(dict.fromkeys(numbers, "float64"))


def runs_frame(validations: Sequence[Validation]) -> pd.DataFrame:
    """One row per run.

    Columns: run, server, hardware, hardware_kind; the settings of the engine; requests, simulated_preemptions,
    simulated_iterations; calibrated (what was fitted to what, in words); warnings (a list of texts).
    """
    import pandas as pd

    rows = []
    for validation in validations:
        document = validation.to_json()
        for nested in ("metrics", "curves", "other_assumptions"):
            del document[nested]
        rows.append(document | document.pop("settings"))
    return pd.DataFrame(rows).astype({"num_gpu_blocks": "Int64"})


def assumptions_frame(validations: Sequence[Validation]) -> pd.DataFrame:
    """One row per run, other assumption and metric: run, assumption, metric, error; empty unless they were replayed."""
    import pandas as pd

    rows = [
        (validation.name, assumption, metric, error)
        for validation in validations
        for assumption, errors in validation.others.items()
        for metric, error in errors.items()
    ]
    return pd.DataFrame(rows, columns=["run", "assumption", "metric", "error"])


def curves_frame(validations: Sequence[Validation]) -> pd.DataFrame:
    """One row per run, second and quantity: measured (empty when not recorded) and simulated."""
    import pandas as pd

    frames = []
    for validation in validations:
        found = validation.curves
        for quantity, simulated in found.simulated.items():
            columns = {"run": validation.name, "t_s": found.t_s, "quantity": quantity}
            frames.append(pd.DataFrame({**columns, "measured": found.measured.get(quantity), "simulated": simulated}))
    return pd.concat(frames, ignore_index=True)


def write_tables(validations: Sequence[Validation], folder: Path) -> tuple[Path, ...]:
    """Write ``metrics.csv`` and ``curves.csv`` into `folder`, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = {"metrics.csv": metrics_frame(validations), "curves.csv": curves_frame(validations)}
    for name, frame in frames.items():
        write_text(folder / name, frame.to_csv(index=False, lineterminator="\n"))
    return tuple(folder / name for name in frames)


def _heading(validation: Validation) -> list[str]:
    server = f": {validation.server}" if validation.server else ""
    entry = validation.entry
    lines = [f"{validation.name}{server}; {validation.requests} requests on {entry.name} ({entry.kind})"]
    if validation.calibrated:
        lines.append(f"calibration: {validation.calibrated}")
    return lines


def _table(validation: Validation) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("")
    for header in ("measured (s)", "simulated (s)", "error", "95%", "target"):
        grid.add_column(header, justify="right")
    grid.add_column("verdict")
    if validation.published:
        grid.add_column("published", justify="right")
    for comparison in validation.comparisons:
        for name, (measured, simulated) in comparison.statistics.items():
            cells = [f"{LABELS[comparison.metric]} {name}", f"{measured:.4g}", f"{simulated:.4g}"]
            error = relative(measured, simulated)
            cells.append("" if error is None else f"{error:+.1%}")
            grid.add_row(*cells, *(_verdict(validation, comparison) if name == "mean" else ()))
    return grid


def _verdict(validation: Validation, comparison: Comparison) -> tuple[str, ...]:
    interval = comparison.interval
    cells = (
        "" if interval is None else f"{interval[0]:+.1%} .. {interval[1]:+.1%}",
        f"{TARGETS[comparison.metric]:.0%}",
        "met" if comparison.met else "missed",
    )
    published = validation.published.get(comparison.metric)
    return cells if published is None else (*cells, f"{published:+.1%}")


def _below(validation: Validation) -> list[str]:
    apart = []
    for comparison in validation.comparisons:
        share = comparison.mean_absolute / comparison.measured.mean()
        correlation = comparison.correlation
        text = "" if correlation is None else f", correlation {correlation:.3f}"
        apart.append(f"{LABELS[comparison.metric]} {comparison.mean_absolute:.3g} s ({share:.1%}){text}")
    lines = [f"per request, mean absolute error: {'; '.join(apart)}"]
    found = validation.curves
    over_time = []
    for quantity, values in found.measured.items():
        scale, unit = (100, "%") if quantity == "kv_share" else (1, "")
        numbers = (values.mean(), found.simulated[quantity].mean(), found.mean_absolute(quantity))
        measured, simulated, difference = (f"{number * scale:.1f}{unit}" for number in numbers)
        over_time.append(f"{CURVES[quantity]} {measured} | {simulated} | {difference}")
    lines.append(f"over time, mean measured | simulated | mean absolute difference: {'; '.join(over_time)}")
    lines += [
        f"if {name}: " + ", ".join(f"{LABELS[metric]} {error:+.1%}" for metric, error in errors.items())
        for name, errors in validation.others.items()
    ]
    return lines + [f"warning: {warning}" for warning in validation.warnings]
