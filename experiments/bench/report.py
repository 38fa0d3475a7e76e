"""A benchmark run beside the previous one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table


def to_rich(found: Mapping[str, Any], previous: Mapping[str, Any] | None) -> Table:
    """One line per number, with the previous number and the change in per cent."""
    grid = Table("engine, reference instance at load 0.9 (nested: 0.5)", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("now", "previous", "change"):
        grid.add_column(header, justify="right")
    for name, value in found.items():
        before = None if previous is None else previous.get(name)
        cells = [_text(value), "", ""]
        if isinstance(before, int | float):
            cells[1] = _text(before)
            cells[2] = f"{(value - before) / before:+.1%}" if before else ""
        grid.add_row(name, *cells)
    return grid


def service_to_rich(found: Mapping[str, Any]) -> Group:
    """One line per entry of the catalogue."""
    grid = Table("entry", "form", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    keys = ("mixed_us", "decode_us", "curve_us", "requests_per_s", "timeouts_per_request")
    for header in ("mixed (us)", "decode (us)", "curve (us)", "requests/s", "timeouts/request"):
        grid.add_column(header, justify="right")
    for entry in found["entries"]:
        grid.add_row(entry["name"], entry["form"], *(_text(entry[key]) for key in keys))
    return Group(grid, f"{_text(found['simpy_timeouts_per_s'])} bare SimPy timeouts per second")


def fleet_to_rich(found: Mapping[str, Any]) -> Group:
    """A row per router, a column per size: requests per second and, in brackets, SimPy timeouts per request."""
    sizes = sorted({case["instances"] for case in found["cases"]})
    cells = {(case["router"], case["instances"]): case for case in found["cases"]}
    grid = Table("requests/s (SimPy timeouts/request)", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for size in sizes:
        grid.add_column(f"{size:,} instances", justify="right")
    for router in dict.fromkeys(case["router"] for case in found["cases"]):
        row = [cells[router, size] for size in sizes]
        grid.add_row(router, *(f"{_text(c['requests_per_s'])} ({_text(c['timeouts_per_request'])})" for c in row))
    lines = [f"{_text(found['simpy_timeouts_per_s'])} bare SimPy timeouts per second"]
    lines += [
        f"1,000,000 requests on {c['instances']:,} instances under {c['router']}: {c['cpu_s']:.0f} s of CPU time, "
        f"peak {c['peak_mib']:,.0f} MiB"
        for c in found.get("million", ())
    ]
    return Group(grid, *lines)


def bounds_to_rich(found: Mapping[str, Any], previous: Mapping[str, Any] | None) -> Group:
    """One line per case beside its target and the previous run of the same size."""
    grid = Table("bounds, reference instance at load 0.9", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("size", "wall (s)", "target", "previous", "CPU (s)", "peak (MiB)", "target", "SimPy timeouts"):
        grid.add_column(header, justify="right")
    grid.add_column("verdict")
    before = {(row["name"], row["size"]): row["wall_s"] for row in (previous or {}).get("cases", ())}
    for row in found["cases"]:
        verdict = {None: "no target at this size", True: "met", False: "missed"}[row["met"]]
        numbers = (row["wall_s"], row["target_s"], before.get((row["name"], row["size"])), row["cpu_s"])
        memory = (row["peak_mib"], row["target_peak_mib"], row["simpy_timeouts"])
        cells = ["" if value is None else _text(value) for value in (*numbers, *memory)]
        grid.add_row(row["name"], f"{row['size']:,} {row['counts']}", *cells, verdict)
    return Group(grid, f"{_text(found['simpy_timeouts_per_s'])} bare SimPy timeouts per second")


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
