"""Hardware entries as TOML files: the schema, and reading one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orsched.catalogue import MOST_KV_TOKENS, MOST_NAME, FitError, Hardware
from orsched.checks import shown
from orsched.devices import find_model
from orsched.errors import InputError, unknown_name
from orsched.service import Batch, PowerLaw, Scaling, ServiceModel
from orsched.service.forms import service_model
from orsched.toml_file import checked_toml, one_line, toml_text

MOST_BYTES = 8_000_000
"""Largest hardware file that is read."""

MOST_SEQS = 1_000_000
"""Largest batch: beyond every engine, and small enough for the tables by batch size that a run makes."""

MOST_SECONDS = 1e6
"""Largest coefficient in seconds (a name that ends in ``_s``): eleven days."""

MOST_NUMBER = 1e15
"""Largest of any other coefficient."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Fit(_Part):
    regime: str
    points: int = Field(ge=1)
    mape: float = Field(ge=0)
    p95_ape: float = Field(ge=0)


class _CrossCheck(_Part):
    against: str
    points: int = Field(default=1, ge=1)
    mape: float = Field(ge=0)
    p95_ape: float = Field(default=0.0, ge=0)
    comment: str = ""


class HardwareFile(_Part):
    """What a hardware file may hold; see docs/add-a-service-model.md."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
    model: str = ""
    gpu: str = ""
    form: str
    kind: Literal["fitted", "measured", "datasheet", "theory", "hypothetical"]
    source: str
    licence: str = ""
    date: str = ""
    notes: str = ""
    block_tokens: int = Field(default=1, ge=1)
    kv_capacity_tokens: int = Field(ge=1, le=MOST_KV_TOKENS)
    kv_capacity_source: str = ""
    max_num_seqs: int = Field(ge=1, le=MOST_SEQS)
    max_num_seqs_source: str = ""
    keeps_preempted_kv: bool = False
    keeps_prefixes: bool = False
    kv_bytes_per_token: float | None = Field(default=None, gt=0, le=MOST_NUMBER)
    tdp_w: float | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0)
    cost_unit: str = ""
    coefficients: dict[str, Any]
    scaling: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    fit: list[_Fit] = []
    cross_check: list[_CrossCheck] = []
    range: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]] = {}


def read_hardware(path: Path) -> Hardware:
    """Read a hardware file.

    Raises
    ------
    InputError
        When it cannot be read, is too large, or breaks the schema.
    """
    return hardware_from_toml(toml_text(path, MOST_BYTES, "a hardware file"), str(path))


def hardware_from_toml(text: str, where: str) -> Hardware:
    """Build hardware from the text of a TOML file; `where` names it in errors.

    Raises
    ------
    InputError
        Naming the field, the value and what is allowed.
    """
    table = checked_toml(HardwareFile, text, where)
    try:
        return _hardware(table)
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None


def _hardware(table: HardwareFile) -> Hardware:
    return Hardware(
        name=table.name,
        service=_service(table),
        kv_capacity_tokens=table.kv_capacity_tokens,
        max_num_seqs=table.max_num_seqs,
        block_tokens=table.block_tokens,
        keeps_preempted_kv=table.keeps_preempted_kv,
        keeps_prefixes=table.keeps_prefixes,
        kv_bytes_per_token=_kv_bytes_per_token(table),
        kind=table.kind,
        source=table.source,
        notes=table.notes,
        fit_error=tuple(FitError(fit.regime, fit.points, fit.mape, fit.p95_ape) for fit in table.fit),
        cross_error=tuple(FitError(c.against, c.points, c.mape, c.p95_ape) for c in table.cross_check),
        valid_range=_ranges(table.range),
        tdp_w=table.tdp_w,
        cost=table.cost,
        cost_unit=table.cost_unit,
    )


def _kv_bytes_per_token(table: HardwareFile) -> float | None:
    """Return what the file says; else what the shape of its model says (`ModelConfig.kv_bytes_per_token`), if known."""
    if table.kv_bytes_per_token is not None:
        return table.kv_bytes_per_token
    model = find_model(table.model) if len(table.model) <= MOST_NAME else None
    return None if model is None else model.kv_bytes_per_token


def _ranges(given: Mapping[str, list[float]]) -> dict[str, tuple[float, float]]:
    for name, (least, most) in given.items():
        if name not in Batch._fields:
            raise unknown_name("range", name, Batch._fields)
        if not 0 <= least <= most:
            raise InputError(f"range.{name} = [{least:g}, {most:g}]: must be two numbers >= 0, the smaller one first")
    return {name: (least, most) for name, (least, most) in given.items()}


def _service(table: HardwareFile) -> ServiceModel:
    _check_sizes("coefficients", table.coefficients, MOST_NUMBER)
    for name, extra in (("scaling", table.scaling), ("power", table.power)):
        source = (extra or {}).get("source", "")
        if not isinstance(source, str):
            raise InputError(f"{name}.source = {shown(source)}: must be a string")
    extras: Mapping[str, Any] = {
        "scaling": None if table.scaling is None else Scaling(**table.scaling),
        "power": None if table.power is None else PowerLaw(**table.power),
    }
    return service_model(table.form, table.coefficients, extras)


def _check_sizes(name: str, value: Any, most: float) -> None:
    """Refuse numbers so large that a time could overflow; not finite ones are left to the form that has them."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_sizes(f"{name}.{key}", item, MOST_SECONDS if str(key).endswith("_s") else most)
    elif isinstance(value, list):
        for item in value:
            _check_sizes(name, item, most)
    elif isinstance(value, int | float) and most < abs(value) < math.inf:
        raise InputError(f"{name} = {shown(value)}: must be at most {most:g}")
