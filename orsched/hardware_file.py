"""Hardware entries as TOML files: the schema, and reading one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orsched.catalogue import FitError, Hardware
from orsched.errors import InputError
from orsched.service import PowerLaw, Scaling, ServiceModel
from orsched.service.forms import service_model

MOST_BYTES = 8_000_000
"""Largest hardware file that is read."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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

    name: str = Field(min_length=1, max_length=200)
    model: str = ""
    gpu: str = ""
    form: str
    kind: Literal["fitted", "measured", "datasheet", "theory", "hypothetical"]
    source: str
    licence: str = ""
    date: str = ""
    notes: str = ""
    block_tokens: int = Field(default=1, ge=1)
    kv_capacity_tokens: int = Field(ge=1)
    kv_capacity_source: str = ""
    max_num_seqs: int = Field(ge=1)
    max_num_seqs_source: str = ""
    keeps_preempted_kv: bool = False
    tdp_w: float | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0)
    cost_unit: str = ""
    coefficients: dict[str, Any]
    scaling: dict[str, Any] | None = None
    power: dict[str, Any] | None = None
    fit: list[_Fit] = []
    cross_check: list[_CrossCheck] = []
    range: dict[str, tuple[float, float]] = {}


def read_hardware(path: Path) -> Hardware:
    """Read a hardware file.

    Raises
    ------
    InputError
        When it cannot be read, is too large, or breaks the schema.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes, a hardware file has at most {MOST_BYTES:,}")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a hardware file ({error})") from None
    return hardware_from_toml(text, str(path))


def hardware_from_toml(text: str, where: str) -> Hardware:
    """Build hardware from the text of a TOML file; `where` names it in errors.

    Raises
    ------
    InputError
        Naming the field, the value and what is allowed.
    """
    try:
        table = HardwareFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not a TOML file ({error})") from None
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error)}") from None
    try:
        return _hardware(table)
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with the first offending field."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    given = "" if first["type"] == "missing" else f" = {str(first['input'])[:80]}"
    return f"{field}{given}: {first['msg'].lower()}{more}"


def _hardware(table: HardwareFile) -> Hardware:
    return Hardware(
        name=table.name,
        service=_service(table),
        kv_capacity_tokens=table.kv_capacity_tokens,
        max_num_seqs=table.max_num_seqs,
        block_tokens=table.block_tokens,
        keeps_preempted_kv=table.keeps_preempted_kv,
        kind=table.kind,
        source=table.source,
        notes=table.notes,
        fit_error=tuple(FitError(fit.regime, fit.points, fit.mape, fit.p95_ape) for fit in table.fit),
        cross_error=tuple(FitError(c.against, c.points, c.mape, c.p95_ape) for c in table.cross_check),
        valid_range=dict(table.range),
        tdp_w=table.tdp_w,
        cost=table.cost,
        cost_unit=table.cost_unit,
    )


def _service(table: HardwareFile) -> ServiceModel:
    extras: Mapping[str, Any] = {
        "scaling": None if table.scaling is None else Scaling(**table.scaling),
        "power": None if table.power is None else PowerLaw(**table.power),
    }
    return service_model(table.form, table.coefficients, extras)
