"""Rooflines from the coefficient table of a hardware file."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from orsched.devices import Chip, chip, model_config
from orsched.errors import InputError, unknown_name
from orsched.service.point import Scaling
from orsched.service.roofline.roofline import Roofline
from orsched.service.roofline.two_resource import TwoResource

_OPTIONAL = ("tensor_parallel", "compute_efficiency", "memory_efficiency", "dispatch_s", "overhead_s")


def roofline_of(coefficients: Mapping[str, Any], extras: Mapping[str, Any]) -> Roofline:
    """Build a `Roofline` from the names of a ``chip`` and a ``model`` and, if given, its other fields.

    Without a ``scaling`` in `extras` it gets that of the chip's saturation share, if one is known.

    Raises
    ------
    InputError
        When a name or a field is missing, unknown or impossible.
    """
    _require("roofline", coefficients, ("chip", "model"), _OPTIONAL)
    device = chip(coefficients["chip"])
    rest = {name: coefficients[name] for name in _OPTIONAL if name in coefficients}
    scaling = extras.get("scaling") or chip_scaling(device)
    return Roofline(device, model_config(coefficients["model"]), **rest, **{**extras, "scaling": scaling})


def two_resource_of(coefficients: Mapping[str, Any], extras: Mapping[str, Any]) -> TwoResource:
    """Build a `TwoResource` from the names of two chips, ``compute`` and ``memory``, a ``model`` and a ``mapping``.

    Raises
    ------
    InputError
        When a name or a field is missing, unknown or impossible.
    """
    _require("two-resource", coefficients, ("compute", "memory", "model", "mapping"), ("overhead_s",))
    return TwoResource(
        chip(coefficients["compute"]),
        chip(coefficients["memory"]),
        model_config(coefficients["model"]),
        coefficients["mapping"],
        coefficients.get("overhead_s", 0.0),
        **extras,
    )


def chip_scaling(device: Chip) -> Scaling | None:
    """How a roofline on a chip scales with the operating point; None where its saturation share is not known.

    Where its other fields of `Scaling` are not known, arithmetic goes as one over the share, and memory traffic has a
    hard limit. Arithmetic goes as one over the clock; memory traffic does not depend on it.
    """
    if device.saturation_share is None:
        return None
    fact = device.facts.get("saturation_share")
    source = "" if fact is None else f"{fact.confidence}: {fact.source}"
    return Scaling(
        saturation_share=device.saturation_share,
        compute_share=math.inf if device.compute_share is None else device.compute_share,
        sharpness=math.inf if device.sharpness is None else device.sharpness,
        source=source,
    )


def _require(form: str, given: Mapping[str, Any], needed: Collection[str], optional: Collection[str]) -> None:
    for name in given:
        if name not in (*needed, *optional):
            raise unknown_name(f"coefficient of form {form}", name, (*needed, *optional))
    for name in needed:
        if name not in given:
            raise InputError(f"coefficients.{name} is missing: form {form} needs {', '.join(needed)}")
