"""Hardware entries, chips and models as rows, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]


def hardware_rows() -> list[dict[str, Any]]:
    """All catalogue entries, by name."""
    from orsched.catalogue import hardware, hardware_names
    from orsched.engine.meter import MeteredIntegrals, integrals_for

    return [
        {
            "name": hw.name,
            "kind": hw.kind,
            "form": form_name(hw.service),
            "kv_capacity_tokens": hw.kv_capacity_tokens,
            "max_num_seqs": hw.max_num_seqs,
            "block_tokens": hw.block_tokens,
            "keeps_preempted_kv": hw.keeps_preempted_kv,
            "fit_error": [asdict(error) for error in hw.fit_error],
            "cross_error": [asdict(error) for error in hw.cross_error],
            "valid_range": {name: list(ends) for name, ends in hw.valid_range.items()},
            "tdp_w": hw.tdp_w,
            "cost": hw.cost,
            "cost_unit": hw.cost_unit,
            "simulates_energy": isinstance(integrals_for(hw.service), MeteredIntegrals),
            "source": hw.source,
            "notes": hw.notes,
        }
        for hw in map(hardware, hardware_names())
    ]


def form_name(service: object) -> str:
    """Name of a service model's form in hardware files."""
    name = type(service).__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).removeprefix("-")


def chip_rows() -> list[dict[str, Any]]:
    """All chips, by name; each value with its source and how sure it is."""
    from orsched.devices import chip, chip_names

    rows = []
    for device in map(chip, chip_names()):
        row: dict[str, Any] = {"name": device.name, "kind": device.kind, "title": device.title}
        row |= {field: getattr(device, field) for field in _CHIP_VALUES}
        row["topology"] = device.topology
        row["cost"] = None if device.price is None else device.price.value
        row["cost_unit"] = "" if device.price is None else device.price.unit
        row["all_reduces"] = [asdict(table) for table in device.all_reduces]
        row["prices"] = [asdict(price) for price in device.prices]
        row["facts"] = {field: asdict(fact) for field, fact in device.facts.items()}
        row["notes"] = device.notes
        rows.append(row)
    return rows


def model_rows() -> list[dict[str, Any]]:
    """All models, by name."""
    from orsched.devices import model_config, model_names

    rows = []
    for model in map(model_config, model_names()):
        row = {"name": model.name, "params": model.params, "active_params": model.active_params}
        row |= {"weight_bytes": model.weight_bytes, "kv_bytes_per_token": model.kv_bytes_per_token}
        rows.append(row | {key: value for key, value in asdict(model).items() if key not in row})
    return rows


def hardware_grid(rows: Sequence[Row]) -> Table:
    """Entries by kind: measured and fitted ones first."""
    order = ("measured", "fitted", "datasheet", "theory", "hypothetical")
    grid = _grid("name", "kind", "form", "KV", "seats", "fit", "cross", "range", "TDP W", "cost")
    for row in sorted(rows, key=lambda row: (order.index(row["kind"]), row["name"])):
        ranges = row["valid_range"]
        seen = "/".join(_short(ranges[name][1]) for name in ("prompt_tokens", "kv_tokens") if name in ranges)
        _add(
            grid,
            *(row["name"], row["kind"], row["form"], _short(row["kv_capacity_tokens"]), row["max_num_seqs"]),
            *(_worst(row["fit_error"]), _worst(row["cross_error"]), seen),
            *(_whole(row["tdp_w"]), _cost(row["cost"], row["cost_unit"])),
        )
    return grid


HARDWARE_LEGEND = (
    "KV: tokens that fit. fit, cross: mean relative error of the worst regime, and of the worst group left out of the\n"
    "fit. range: prompt tokens of an iteration / KV tokens seen by the fit; none for datasheets. Cost of all chips:\n"
    "rent, else rent by use (serverless), else purchase, else relative; compare like with like. Any model and chip\n"
    "can be combined, as llama2-70b/h100-sxm-tp8. More: --json."
)


def chip_grid(rows: Sequence[Row]) -> Table:
    """Chips with their peaks."""
    columns = ("fp16 TF/s", "fp8 TF/s", "memory GiB", "GB/s", "link GB/s", "TDP W", "FLOP/B", "cost")
    grid = _grid("name", "kind", *columns)
    for row in rows:
        _add(
            grid,
            *(row["name"], row["kind"], f"{row['fp16_flops'] / 1e12:,.1f}", _scaled(row["fp8_flops"], 1e12)),
            *(f"{row['memory_bytes'] / 2**30:,.0f}", f"{row['bandwidth_bytes_s'] / 1e9:,.0f}"),
            *(_scaled(row["link_bytes_s"], 1e9), _whole(row["tdp_w"])),
            *(f"{row['fp16_flops'] / row['bandwidth_bytes_s']:,.0f}", _cost(row["cost"], row["cost_unit"])),
        )
    return grid


def model_grid(rows: Sequence[Row]) -> Table:
    """Models with their sizes."""
    columns = ("params B", "active B", "weights GB", "KV KiB/token", "layers", "hidden", "heads", "experts", "from")
    grid = _grid("name", *columns)
    for row in rows:
        experts = f"{row['active_experts']} of {row['experts']}" if row["experts"] else ""
        _add(
            grid,
            *(row["name"], f"{row['params'] / 1e9:.2f}", f"{row['active_params'] / 1e9:.2f}"),
            *(f"{row['weight_bytes'] / 1e9:.1f}", f"{row['kv_bytes_per_token'] / 1024:,.1f}"),
            *(row["layers"], row["hidden"], f"{row['q_heads']}/{row['kv_heads']}", experts, row["confidence"]),
        )
    return grid


_CHIP_VALUES = (
    *("fp16_flops", "fp8_flops", "int8_ops", "memory_bytes", "bandwidth_bytes_s", "tdp_w", "idle_w"),
    *(
        "link_bytes_s",
        "link_latency_s",
        "link_efficiency",
        "link_chips",
        "sms",
        "clock_least_hz",
        "clock_most_hz",
        "clock_step_hz",
    ),
    *("compute_efficiency", "memory_efficiency", "dispatch_s", "saturation_share", "compute_share", "sharpness"),
)


def _grid(*columns: str) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        left = column in ("name", "kind", "form", "from")
        grid.add_column(column, no_wrap=column == "name", justify="left" if left else "right")
    return grid


def _add(grid: Table, *values: object) -> None:
    grid.add_row(*(Text(str(value)) for value in values))


def _worst(errors: Iterable[Row]) -> str:
    worst = max((error["mape"] for error in errors), default=None)
    return "" if worst is None else f"{worst:.1%}"


def _short(number: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _scaled(value: float | None, unit: float) -> str:
    return "" if value is None else f"{value / unit:,.0f}"


def _cost(value: float | None, unit: str) -> str:
    """Give the number with its unit, without date and source."""
    if value is None:
        return ""
    return f"{_short(value) if value >= 1e4 else f'{value:.4g}'} {unit.partition(' (')[0]}".rstrip()
