"""The catalogue's datasheet and hypothetical entries: rooflines, written as hardware files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.calibration.toml_text import toml_text
from orsched.composition import BLOCK_TOKENS, MAX_NUM_SEQS, MEMORY_SHARE, compose
from orsched.devices import chip, model_config
from orsched.service.roofline import Roofline

DATE = "2026-12-02"

ROOFLINES = (
    *(
        ("llama3-8b", device, 1)
        for device in (
            *("a100-40g", "h100-sxm", "h200-sxm", "b200", "a40", "a6000", "l40s", "l4"),
            *("mi300x", "tpu-v5p", "ascend-910b", "jetson-agx-orin", "jetson-agx-xavier"),
        )
    ),
    ("llama3-8b", "tpu-v5e", 2),
    ("phi-2", "jetson-xavier-nx", 1),
    ("llama3-70b", "h100-sxm", 4),
    ("llama3-70b", "h200-sxm", 2),
    ("llama3-70b", "b200", 1),
    ("llama3-70b", "mi300x", 1),
    ("llama2-70b", "h100-sxm", 8),
    ("deepseek-v3", "h200-sxm", 8),
    ("llama3-8b", "spad-prefill", 1),
    ("llama3-8b", "spad-decode", 1),
    ("llama3-70b", "spad-prefill", 4),
    ("llama3-70b", "spad-decode", 4),
    ("llama2-7b", "cent-device", 1),
    ("qwen3-8b", "cent-device", 2),
)
"""Model, chip and tensor-parallel degree."""

PAIRS = (
    ("halo", "halo-cim", "halo-cid", "phase-aware"),
    ("halo-as-attacc", "halo-cim", "halo-cid", "attention-on-memory"),
    ("halo-as-cent", "halo-cim", "halo-cid", "all-memory"),
    ("attacc", "a100-hbm3", "attacc-pim", "attention-on-memory"),
)
"""Device name, compute engine, memory engine and mapping of the two-resource entries."""

PAIR_MODELS = ("llama2-7b", "qwen3-8b")
"""Models of the two-resource entries: HALO's."""


def roofline_entry(model_name: str, chip_name: str, gpus: int) -> dict[str, Any]:
    """Return the hardware file of a composed name."""
    model, device = model_config(model_name), chip(chip_name)
    made = compose(model, device, gpus)
    coefficients: dict[str, Any] = {"chip": device.name, "model": model.name}
    if gpus > 1:
        coefficients["tensor_parallel"] = gpus
    assert isinstance(made.service, Roofline)
    entry: dict[str, Any] = {
        "name": made.name,
        "model": model.name,
        "gpu": device.title if gpus == 1 else f"{gpus} x {device.title}",
        "form": "roofline",
        "kind": made.kind,
        "source": made.source,
        "licence": "facts from the sources named",
        "date": DATE,
        "notes": made.notes,
        "block_tokens": made.block_tokens,
        "kv_capacity_tokens": made.kv_capacity_tokens,
        "kv_capacity_source": "see notes",
        "max_num_seqs": made.max_num_seqs,
        "max_num_seqs_source": "default of vLLM (V1 scheduler)",
        "tdp_w": made.tdp_w,
        "cost": made.cost,
        "cost_unit": made.cost_unit,
        "coefficients": coefficients,
    }
    return {key: value for key, value in entry.items() if value not in (None, "")}


def pair_entry(device: str, compute: str, memory: str, mapping: str, model_name: str) -> dict[str, Any]:
    """Return the hardware file of two engines that share one memory."""
    model, holder = model_config(model_name), chip(memory)
    free = MEMORY_SHARE * holder.memory_bytes - model.weight_bytes
    return {
        "name": f"{model.name}/{device}",
        "model": model.name,
        "gpu": f"{chip(compute).title}; {holder.title}",
        "form": "two-resource",
        "kind": "hypothetical",
        "source": "the two-resource model (ours); the values of both engines have their sources with them",
        "licence": "facts from the sources named",
        "date": DATE,
        "notes": (
            f"Products and attention of prompts and decodes run where the mapping {mapping} says. KV capacity: "
            f"({MEMORY_SHARE} x {holder.memory_bytes:.4g} B - {model.weight_bytes:.4g} B of weights) / "
            f"{model.kv_bytes_per_token:,.0f} B per token. Power and cost are not published."
        ),
        "block_tokens": BLOCK_TOKENS,
        "kv_capacity_tokens": math.floor(free / model.kv_bytes_per_token),
        "kv_capacity_source": "see notes",
        "max_num_seqs": MAX_NUM_SEQS,
        "max_num_seqs_source": "default of vLLM (V1 scheduler); the hardware is meant for low batches",
        "coefficients": {"compute": compute, "memory": memory, "model": model.name, "mapping": mapping},
    }


def all_entries() -> list[Mapping[str, Any]]:
    """Return all of them."""
    pairs = [pair_entry(*pair, model) for pair in PAIRS for model in PAIR_MODELS]
    return [*(roofline_entry(*parts) for parts in ROOFLINES), *pairs]


def write_entries(folder: Path) -> list[Path]:
    """Write one file for each entry into `folder`; returns them."""
    from orsched.atomic import write_text

    written = []
    for entry in all_entries():
        path = folder / (entry["name"].replace("/", "_", 1) + ".toml")
        write_text(path, toml_text(entry))
        written.append(path)
    return written
