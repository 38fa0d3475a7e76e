"""The ``[scaling]`` and ``[power]`` tables that the fits give, for hardware files."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from experiments.calibration.toml_text import toml_text
from experiments.energy.chip import fit_chip
from experiments.energy.data import models
from experiments.energy.share import fit_scaling
from orsched.service import PowerLaw

ENTRIES = (
    ("llama2-7b/a100-80g", "llama2-7b", "a100", 1),
    ("llama3-8b/a100-80g", "llama3-8b", "a100", 1),
    ("llama2-70b/a100-80g-tp2", "llama2-70b", "a100", 2),
    ("llama2-70b/a100-80g-tp4", "llama2-70b", "a100", 4),
    ("llama2-70b/a100-80g-tp8", "llama2-70b", "a100", 8),
    ("llama3-70b/a100-80g-tp4", "llama3-70b", "a100", 4),
    ("llama3-70b/a100-80g-tp8", "llama3-70b", "a100", 8),
    ("bloom-176b/a100-80g-tp8", "bloom-176b", "a100", 8),
    ("llama2-7b/h100-80g", "llama2-7b", "h100", 1),
    ("llama3-8b/h100-80g", "llama3-8b", "h100", 1),
    ("llama2-70b/h100-80g-tp2", "llama2-70b", "h100", 2),
    ("llama2-70b/h100-80g-tp8", "llama2-70b", "h100", 8),
    ("llama3-70b/h100-80g-tp4", "llama3-70b", "h100", 4),
)
"""Name of the table, model, GPU and GPUs of an instance. A name need not be a catalogue entry yet."""

_HEAD = """\
# Energy and SM-share scaling of models on A100 and H100, computed by `python -m experiments.energy --write`.
# Merge a table into the hardware file of that model and device; docs/energy.md says how far to trust it.

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
