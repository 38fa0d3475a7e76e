"""The schema of a chip file: every value with its source and how sure it is."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from orsched.devices.model_schema import Part
from orsched.toml_file import one_line

Confidence = Literal["paper", "code", "third party", "derived", "unconfirmed", "ours", "calibrated"]


class Quantity(Part):
    """A number with its source."""

    value: float
    source: str = Field(min_length=1)
    confidence: Confidence


def _on_the_calendar(text: str) -> str:
    date.fromisoformat(text if len(text) > len("2026-11") else f"{text}-01")
    return text


class PriceTable(Part):
    """The fields of `Price`."""

    value: float = Field(gt=0, le=1e12)
    unit: str = Field(min_length=1)
    date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$"), AfterValidator(_on_the_calendar)]
    source: str = Field(min_length=1)


class AllReduceTable(Part):
    """The fields of `AllReduce`, with their source."""

    gpus: int
    sizes_bytes: list[float]
    times_s: list[float]
    source: str = Field(min_length=1)
    confidence: Confidence


class ChipFile(Part):
    """What a chip file holds: the fields of `Chip`, numbers as tables, and other names of the chip."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(one_line)]
    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
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
    compute_share: Quantity | None = None
    sharpness: Quantity | None = None
    all_reduce: list[AllReduceTable] = Field(default_factory=list)
    price: list[PriceTable] = Field(default_factory=list)
