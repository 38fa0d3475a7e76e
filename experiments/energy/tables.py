"""The ``[scaling]`` and ``[power]`` tables that the fits give, and the hardware files that they belong in."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.calibration.entry import write_entry
from experiments.calibration.toml_text import toml_text
from experiments.energy.chip import fit_chip
from experiments.energy.data import models
from experiments.energy.share import fit_scaling
from orsched.service import PowerLaw

ENTRIES = (
    ("llama2-7b/a100-80g", "llama2-7b", "a100", 1),
    ("llama3-8b/a100-80g", "llama3-8b", "a100", 1),
    ("llama3.1-8b/a100-80g", "llama3-8b", "a100", 1),
    *((f"llama2-13b/a100-80g{group}", "llama2-13b", "a100", n) for group, n in (("", 1), ("-tp2", 2), ("-tp4", 4))),
    ("llama-65b/a100-80g-tp4", "llama-65b", "a100", 4),
    ("llama-65b/a100-80g-tp8", "llama-65b", "a100", 8),
    ("llama2-70b/a100-80g-tp2", "llama2-70b", "a100", 2),
    ("llama2-70b/a100-80g-tp4", "llama2-70b", "a100", 4),
    ("llama2-70b/a100-80g-tp8", "llama2-70b", "a100", 8),
    ("llama3-70b/a100-80g-tp4", "llama3-70b", "a100", 4),
    ("llama3-70b/a100-80g-tp8", "llama3-70b", "a100", 8),
    ("llama3.1-70b/a100-80g-tp4", "llama3-70b", "a100", 4),
    ("llama3.1-70b/a100-80g-tp8", "llama3-70b", "a100", 8),
    ("qwen-72b/a100-80g-tp8", "qwen-72b", "a100", 8),
    ("bloom-176b/a100-80g-tp8", "bloom-176b", "a100", 8),
    ("llama2-70b/h100-80g-tp2", "llama2-70b", "h100", 2),
    ("llama2-70b/h100-80g-tp8", "llama2-70b", "h100", 8),
)
"""Catalogue entry, model, GPU and GPUs of an instance: the fitted entries of dense models in 16 bits on A100 80 GB and
H100 (taken for SXM parts).

Left out is ``llama3.1-70b/h100-tp4``, whose source does not say which H100 it ran on.
"""

_HEAD = """\
# Energy and SM-share scaling of models on A100 and H100, computed by `python -m experiments.energy --write`.
# The same command merges each table into the hardware file of that name; docs/energy.md says how far to trust it.

"""


def tables() -> dict[str, dict[str, dict[str, Any]]]:
    """``scaling`` (one A100 only: nothing else was measured well enough) and ``power``, by name."""
    scaling = asdict(fit_scaling()[0])
    chips = {gpu: fit_chip(gpu).energy for gpu in ("a100", "h100")}
    found = {}
    for name, model, gpu, count in ENTRIES:
        size = models()[model]
        law = chips[gpu].power_law(1e9 * size["parameters_b"], size["kv_token_bytes"], chips=count)
        found[name] = {"scaling": scaling} if (gpu, count) == ("a100", 1) else {}
        found[name]["power"] = power_table(law)
    return found


def power_table(law: PowerLaw) -> dict[str, Any]:
    """Return a law as a table, its numbers to six digits."""
    return {name: float(f"{v:.6g}") if isinstance(v, float) else v for name, v in asdict(law).items()}


def tables_toml() -> str:
    """Return all tables as the text of ``orsched/data/energy/tables.toml``."""
    return _HEAD + toml_text({f'"{name}"': table for name, table in tables().items()})


def merged_entry(folder: Path, name: str, parts: dict[str, dict[str, Any]]) -> tuple[Path, dict[str, Any]]:
    """Return the file of an entry in a folder of hardware files, and the entry with `parts` in place of its own."""
    path = folder / (name.replace("/", "_", 1) + ".toml")
    return path, {**tomllib.loads(path.read_text(encoding="utf-8")), **parts}


def merge(folder: Path) -> None:
    """Write the tables into the hardware files of `folder`; all else in them stays."""
    for name, parts in tables().items():
        write_entry(*merged_entry(folder, name, parts))
