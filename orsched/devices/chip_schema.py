"""The schema of a chip file: every value with its source and how sure it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orsched.devices.model_schema import Part

Confidence = Literal["paper", "code", "third party", "derived", "unconfirmed", "ours", "calibrated"]


class Quantity(Part):
    """A number with its source."""

    value: float
    source: str = Field(min_length=1)
    confidence: Confidence


class PriceTable(Part):
    """The fields of `Price`."""

    value: float = Field(gt=0)
    unit: str = Field(min_length=1)
    date: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")
    source: str = Field(min_length=1)


class ChipFile(Part):
    """What a chip file holds: the fields of `Chip`, numbers as tables, and other names of the chip."""

    name: str = Field(min_length=1, max_length=80)
    title: str = Field(min_length=1, max_length=200)
    kind: Literal["datasheet", "hypothetical"]
    aliases: list[str] = Field(default_factory=list)
    topology: Literal["ring", "fully-connected"] = "ring"
    notes: str = ""
    fp16_flops: Quantity
    memory_bytes: Quantity
    bandwidth_bytes_s: Quantity
    compute_efficiency: Quantity
    memory_efficiency: Quantity
    dispatch_s: Quantity
    fp8_flops: Quantity | None = None
    int8_ops: Quantity | None = None
    tdp_w: Quantity | None = None
    idle_w: Quantity | None = None
    link_bytes_s: Quantity | None = None
    link_latency_s: Quantity | None = None
    link_efficiency: Quantity | None = None
    link_chips: Quantity | None = None
    sms: Quantity | None = None
    clock_least_hz: Quantity | None = None
    clock_most_hz: Quantity | None = None
    clock_step_hz: Quantity | None = None
    saturation_share: Quantity | None = None
    price: list[PriceTable] = Field(default_factory=list)
