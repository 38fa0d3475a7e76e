"""A model on a device: its service-time model, its KV memory and where the numbers come from."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from orsched.errors import InputError, unknown_name
from orsched.service import Affine, Hinged, ServiceModel

_FORMS: dict[str, type[Affine] | type[Hinged]] = {"affine": Affine, "hinged": Hinged}


@dataclass(frozen=True, slots=True)
class Hardware:
    """One kind of instance.

    Parameters
    ----------
    name : str
        Catalogue name, ``"model/device"``.
    service : ServiceModel
        Iteration times.
    kv_capacity_tokens : int
        KV tokens that fit (``C``).
    max_num_seqs : int
        Most requests in one batch (``B_max``).
    block_tokens : int
        KV allocation unit; 1 is token granularity.
    kind : str
        ``fitted``, ``measured``, ``datasheet``, ``theory`` or ``hypothetical``.
    source : str
        Where the coefficients come from.
    notes : str
        Honest limits.
    fit_error : mapping of str to float
        Mean absolute relative error of the fit by regime (fractions).
    """

    name: str
    service: ServiceModel
    kv_capacity_tokens: int
    max_num_seqs: int = 256
    block_tokens: int = 1
    kind: str = "hypothetical"
    source: str = ""
    notes: str = ""
    fit_error: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for field in ("kv_capacity_tokens", "max_num_seqs", "block_tokens"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"Hardware.{field} = {value!r}: must be a whole number >= 1")
        if self.block_tokens > self.kv_capacity_tokens:
            raise InputError(
                f"Hardware.block_tokens = {self.block_tokens} exceeds the KV capacity {self.kv_capacity_tokens}"
            )


def hardware(model: str, device: str | None = None) -> Hardware:
    """Look up a catalogue entry: ``hardware("llama2-7b/a100-80g")`` or ``hardware("llama2-7b", "a100-80g")``.

    Raises
    ------
    UnknownNameError
        When there is no such entry; the message suggests the nearest.
    """
    name = model if device is None else f"{model}/{device}"
    entries = _catalogue()
    if name not in entries:
        raise unknown_name("hardware", name, entries)
    return entries[name]


def hardware_names() -> list[str]:
    """Names of all catalogue entries, sorted."""
    return sorted(_catalogue())


@cache
def _catalogue() -> dict[str, Hardware]:
    folder = resources.files("orsched") / "data" / "hardware"
    entries = (
        _from_toml(tomllib.loads(item.read_text(encoding="utf-8")))
        for item in sorted(folder.iterdir(), key=lambda item: item.name)
        if item.name.endswith(".toml")
    )
    return {entry.name: entry for entry in entries}


def _from_toml(table: dict[str, Any]) -> Hardware:
    service = _FORMS[table["form"]](**{k: float(v) for k, v in table["coefficients"].items()})
    return Hardware(
        name=table["name"],
        service=service,
        kv_capacity_tokens=table["kv_capacity_tokens"],
        max_num_seqs=table["max_num_seqs"],
        block_tokens=table.get("block_tokens", 1),
        kind=table["kind"],
        source=table["source"],
        notes=table.get("notes", ""),
        fit_error=tuple((fit["regime"], fit["mape"]) for fit in table.get("fit", ())),
    )
