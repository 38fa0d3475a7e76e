"""A hardware entry: the prose around a calibration, and writing it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.calibration.calibration import Calibration
from experiments.calibration.profile import Profile
from experiments.calibration.toml_text import toml_text
from orsched.atomic import write_text
from orsched.errors import InputError
from orsched.hardware_file import MOST_BYTES, hardware_from_toml

KERNELS_ONLY = (
    "Sums of kernel times: what the engine adds to an iteration (scheduling, input preparation, sampling on the host) "
    "is not in them, so real iterations are longer"
)
ENGINE_SEATS = (256, "default of vLLM (V1 scheduler); vllm-project/vllm @00024d3")
"""Seats of an instance for which none were recorded, and where they come from."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What an entry says besides the model and its errors.

    Parameters
    ----------
    name : str
        Catalogue name.
    kv_capacity_tokens : int
        KV tokens that fit.
    kv_capacity_source : str
        How that is known.
    source, licence, date : str
        Of the profile; `date` of the calibration.
    max_num_seqs : int
        Most requests in one batch.
    max_num_seqs_source : str
        How that is known.
    block_tokens : int
        Tokens of a KV block.
    keeps_preempted_kv : bool
        As in `orsched.Hardware`.
    notes : tuple of str
        Further notes.
    """

    name: str
    kv_capacity_tokens: int
    kv_capacity_source: str
    source: str
    licence: str = ""
    date: str = ""
    max_num_seqs: int = ENGINE_SEATS[0]
    max_num_seqs_source: str = ENGINE_SEATS[1]
    block_tokens: int = 16
    keeps_preempted_kv: bool = False
    notes: tuple[str, ...] = ()


def entry_of(profile: Profile, found: Calibration, instance: Instance) -> dict[str, Any]:
    """Return the content of a hardware file."""
    said = [*profile.notes, *found.notes, *instance.notes]
    if profile.kernels is not None and found.ranks == 1 and not found.overhead_s:
        said.insert(0, KERNELS_ONLY)
    tables = found.tables()
    prose = {
        "name": instance.name,
        "model": profile.model,
        "gpu": profile.gpu,
        "form": tables.pop("form"),
        "kind": "fitted",
        "source": instance.source,
        "licence": instance.licence,
        "date": instance.date,
        "notes": " ".join(_sentence(text) for text in said),
        "block_tokens": instance.block_tokens,
        "kv_capacity_tokens": instance.kv_capacity_tokens,
        "kv_capacity_source": instance.kv_capacity_source,
        "max_num_seqs": instance.max_num_seqs,
        "max_num_seqs_source": instance.max_num_seqs_source,
        "keeps_preempted_kv": instance.keeps_preempted_kv,
    }
    return {**{name: value for name, value in prose.items() if value != ""}, **tables}


def entry_name(model: str, gpu: str, tensor_parallel: int) -> str:
    """Return the catalogue name ``model/gpu[-tpN]`` of a group."""
    plain = re.sub(r"-(hf|instruct|chat)$", "", model.rpartition("/")[2].lower()).replace("llama-", "llama")
    device = re.sub(r"[^a-z0-9.-]+", "-", gpu.lower()).strip("-")
    return f"{plain}/{device}" + (f"-tp{tensor_parallel}" if tensor_parallel > 1 else "")


def write_entry(path: Path, entry: Mapping[str, Any]) -> None:
    """Write a hardware file whole or not at all, after reading it back.

    Raises
    ------
    InputError
        When it is not a hardware file that can be read; nothing is written.
    """
    text = toml_text(entry)
    hardware_from_toml(text, str(path))
    if len(text.encode()) > MOST_BYTES:
        raise InputError(
            f"{path.name}: the entry has {len(text.encode()):,} bytes, more than {MOST_BYTES:,} are not read back"
        )
    write_text(path, text)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
