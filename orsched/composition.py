"""Hardware composed of a model and a chip, where the catalogue has no entry of its own."""

from __future__ import annotations

import math
import re
from functools import cache

from orsched.catalogue import Hardware, hardware, hardware_names
from orsched.devices import Chip, ModelConfig, chip_names, find_chip, find_model, model_names
from orsched.errors import InputError, UnknownNameError, unknown_name
from orsched.service.roofline import Roofline
from orsched.service.roofline.from_file import chip_scaling

MEMORY_SHARE = 0.9
"""Share of the memory for weights and KV cache: vLLM's default for ``gpu_memory_utilization``."""

BLOCK_TOKENS = 16
"""KV allocation unit: vLLM's default."""

MAX_NUM_SEQS = 256
"""Requests in a batch: vLLM's default (V1 scheduler)."""

_DEVICE = re.compile(r"(?P<chip>.+?)(?:-tp(?P<gpus>[1-9][0-9]{0,3}))?")


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
        return hardware(canonical)
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
        As `composed_hardware`.
    """
    service = Roofline(device, model, gpus, scaling=chip_scaling(device))
    capacity = kv_capacity_tokens(model, device, gpus)
    if capacity < BLOCK_TOKENS:
        raise InputError(_does_not_fit(model, device, gpus))
    price = device.prices[0] if device.prices else None
    return Hardware(
        name=f"{model.name}/{device.name}" + (f"-tp{gpus}" if gpus > 1 else ""),
        service=service,
        kv_capacity_tokens=capacity,
        max_num_seqs=MAX_NUM_SEQS,
        block_tokens=BLOCK_TOKENS,
        kind=device.kind,
        source=f"roofline of {model.name} ({model.source}) on {device.title}, whose values have their sources with it",
        notes=capacity_note(model, device, gpus),
        tdp_w=None if device.tdp_w is None else gpus * device.tdp_w,
        cost=None if price is None else gpus * price.value,
        cost_unit="" if price is None else f"{price.unit} ({price.date}, {price.source})",
    )


def kv_capacity_tokens(model: ModelConfig, device: Chip, gpus: int) -> int:
    """KV tokens that fit beside the weights: ``(0.9 memory gpus - weights) / (KV bytes per token on all chips)``.

    KV heads that are copied, for want of as many heads as chips, count on each. Activations and captured graphs are not
    subtracted: an engine reports fewer.
    """
    free = MEMORY_SHARE * device.memory_bytes * gpus - model.weight_bytes
    return max(0, math.floor(free / (gpus * model.kv_bytes_per_token_on(gpus))))


def capacity_note(model: ModelConfig, device: Chip, gpus: int) -> str:
    """Say how the KV capacity was obtained."""
    each = gpus * model.kv_bytes_per_token_on(gpus)
    return (
        f"KV capacity: ({MEMORY_SHARE} x {device.memory_bytes:.4g} B x {gpus} - {model.weight_bytes:.4g} B of weights) "
        f"/ {each:,.0f} B per token; activations and captured graphs are not subtracted. Kernels only: what the engine "
        "spends per iteration is not in the times."
    )


def _does_not_fit(model: ModelConfig, device: Chip, gpus: int) -> str:
    needs = f"{model.name} has {model.weight_bytes / 1e9:.1f} GB of weights, {gpus} x {device.name} hold "
    needs += f"{MEMORY_SHARE * device.memory_bytes * gpus / 1e9:.1f} GB ({MEMORY_SHARE} of the memory)"
    if device.link_bytes_s is None:
        return f"{needs}; no links are known for {device.name}: take a smaller model"
    most = model.q_heads if device.link_chips is None else device.link_chips
    enough = (n for n in range(gpus + 1, most + 1) if model.q_heads % n == 0)
    for n in enough:
        if kv_capacity_tokens(model, device, n) >= BLOCK_TOKENS:
            return f"{needs}; the fewest that hold it are {n}: {model.name}/{device.name}-tp{n}"
    return f"{needs}; no number of chips up to {most} that divides its {model.q_heads} query heads holds it"


def parts_of(name: str) -> tuple[ModelConfig, Chip, int] | None:
    """Return model, chip and number of chips of a name; None unless both are known."""
    left, slash, right = name.rpartition("/")
    found = _DEVICE.fullmatch(right)
    if not slash or found is None:
        return None
    model, device = find_model(left), find_chip(found["chip"])
    return None if model is None or device is None else (model, device, int(found["gpus"] or 1))


def _unknown(name: str) -> UnknownNameError:
    """Suggest entries and, where model or chip is known, what they can be composed with; what begins so if any does."""
    left, _, right = name.rpartition("/")
    found = _DEVICE.fullmatch(right)
    model, device = find_model(left), find_chip(found["chip"]) if found else None
    names = set(hardware_names())
    if model is not None:
        names |= {f"{model.name}/{known}" for known in chip_names()}
    if device is not None:
        names |= {f"{known}/{device.name}" for known in model_names()}
    longer = {known for known in names if name and known.startswith(name)}
    return unknown_name("hardware", name, longer or names)
