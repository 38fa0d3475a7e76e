"""Hardware composed of a model and a chip, where the catalogue has no entry of its own."""

from __future__ import annotations

import math
from functools import cache

from orsched.catalogue import Hardware, catalogue_entry, hardware_names
from orsched.checks import require_whole, shown
from orsched.devices import Chip, ModelConfig, chip_names, find_chip, find_model, model_names
from orsched.errors import InputError, UnknownNameError, unknown_name
from orsched.service.roofline import MOST_GPUS, Roofline
from orsched.service.roofline.from_file import chip_scaling
from orsched.spelling import DEVICE

MEMORY_SHARE = 0.9
"""Share of the memory for weights and KV cache: vLLM's default for ``gpu_memory_utilization``."""

BLOCK_TOKENS = 16
"""KV allocation unit: vLLM's default."""

MAX_NUM_SEQS = 256
"""Requests in a batch: vLLM's default (V1 scheduler)."""


def composed_hardware(name: str) -> Hardware:
    """Compose ``"model/chip"`` or ``"model/chip-tpN"``: a roofline on N chips of a tensor-parallel group.

    Model and chip may have any of their names; the entry has their catalogue names, and is the catalogue's own where
    there is one under them.

    Raises
    ------
    UnknownNameError
        When model or chip is unknown; the message suggests the nearest.
    InputError
        When the model does not fit, with the fewest chips that hold it; or the chips have no links.
    """
    parts = parts_of(name)
    if parts is None:
        raise _unknown(name)
    model, device, gpus = parts
    canonical = f"{model.name}/{device.name}" + (f"-tp{gpus}" if gpus > 1 else "")
    if canonical in hardware_names():
        return catalogue_entry(canonical)
    return _composed(model.name, device.name, gpus)


@cache
def _composed(model_name: str, chip_name: str, gpus: int) -> Hardware:
    model, device = find_model(model_name), find_chip(chip_name)
    assert model is not None
    assert device is not None
    return compose(model, device, gpus)


def compose(model: ModelConfig, device: Chip, gpus: int) -> Hardware:
    """Return the roofline of `model` on `gpus` chips with the KV memory that `kv_capacity_tokens` gives.

    Raises
    ------
    InputError
        As `composed_hardware`; or when names are given in place of a model and a chip.
    """
    if not isinstance(model, ModelConfig) or not isinstance(device, Chip):
        raise InputError(
            f"compose({shown(model)}, {shown(device)}, ...): takes a ModelConfig and a Chip, as model_config() and "
            "chip() return them; hardware() takes names"
        )
    require_whole("compose: gpus", gpus, most=MOST_GPUS)
    service = Roofline(device, model, gpus, scaling=chip_scaling(device))
    capacity = kv_capacity_tokens(model, device, gpus)
    if capacity < BLOCK_TOKENS:
        raise InputError(_does_not_fit(model, device, gpus))
    price = device.price
    return Hardware(
        name=f"{model.name}/{device.name}" + (f"-tp{gpus}" if gpus > 1 else ""),
        service=service,
        kv_capacity_tokens=capacity,
        max_num_seqs=MAX_NUM_SEQS,
        block_tokens=BLOCK_TOKENS,
        kv_bytes_per_token=model.kv_bytes_per_token,
        kind=device.kind,
        source=f"roofline of {model.name} ({model.source}) on {device.title}, whose values have their sources with it",
        notes=composed_notes(model, device, gpus),
        tdp_w=None if device.tdp_w is None else gpus * device.tdp_w,
        cost=None if price is None else gpus * price.value,
        cost_unit="" if price is None else f"{price.unit} ({price.date}, {price.source})",
    )


def kv_capacity_tokens(model: ModelConfig, device: Chip, gpus: int) -> int:
    """KV tokens that fit beside the weights on each chip: ``(0.9 memory - weights) / (KV bytes per token)``.

    Weights and KV heads that are copied count on each chip. Activations and captured graphs are not subtracted: an
    engine reports fewer.

    Raises
    ------
    InputError
        When heads cannot be divided among `gpus`.
    """
    free = MEMORY_SHARE * device.memory_bytes - model.weight_bytes_on(gpus)
    return max(0, math.floor(free / model.kv_bytes_per_token_on(gpus)))


def composed_notes(model: ModelConfig, device: Chip, gpus: int) -> str:
    """Say how the KV capacity was obtained, what the times leave out, and what is noted of model and chip."""
    where = "" if gpus == 1 else f" on each of {gpus} chips"
    notes = [
        f"KV capacity{where}: ({MEMORY_SHARE} x {device.memory_bytes:.4g} B - {model.weight_bytes_on(gpus):.4g} B of "
        f"weights) / {model.kv_bytes_per_token_on(gpus):,.0f} B per token; activations and captured graphs are not "
        "subtracted. Kernels only: what the engine spends per iteration is not in the times."
    ]
    if model.positions is not None:
        notes.append(f"At most {model.positions:,} positions: longer requests cannot run, which is not enforced here.")
    notes += [f"{item.name}: {item.notes}" for item in (model, device) if item.notes]
    return " ".join(notes)


def _does_not_fit(model: ModelConfig, device: Chip, gpus: int) -> str:
    weights = gpus * model.weight_bytes_on(gpus)
    needs = f"{model.name} has {weights / 1e9:.1f} GB of weights, {gpus} x {device.name} hold "
    needs += f"{MEMORY_SHARE * device.memory_bytes * gpus / 1e9:.1f} GB ({MEMORY_SHARE} of the memory)"
    if device.link_bytes_s is None:
        return f"{needs}; no links are known for {device.name}: take a smaller model"
    most = model.q_heads if device.link_chips is None else min(device.link_chips, model.q_heads)
    for n in model.group_sizes():
        if gpus < n <= most and kv_capacity_tokens(model, device, n) >= BLOCK_TOKENS:
            return f"{needs}; the fewest that hold it are {n}: {model.name}/{device.name}-tp{n}"
    return f"{needs}; no number of chips up to {most} among which its heads can be divided holds it"


def parts_of(name: str) -> tuple[ModelConfig, Chip, int] | None:
    """Return model, chip and number of chips of a name; None unless both are known."""
    left, slash, right = name.rpartition("/")
    found = DEVICE.fullmatch(right)
    if not slash or found is None:
        return None
    model, device = find_model(left), find_chip(found["chip"])
    return None if model is None or device is None else (model, device, int(found["gpus"] or 1))


def _unknown(name: str) -> UnknownNameError:
    """Suggest entries and, where model or chip is known, what they can be composed with; what begins so if any does."""
    left, _, right = name.rpartition("/")
    found = DEVICE.fullmatch(right)
    model, device = find_model(left), find_chip(found["chip"]) if found else None
    names = set(hardware_names())
    if model is not None:
        names |= {f"{model.name}/{known}" for known in chip_names()}
    if device is not None:
        names |= {f"{known}/{device.name}" for known in model_names()}
    longer = {known for known in names if name and known.startswith(name)}
    return unknown_name("hardware", name, longer or names)
