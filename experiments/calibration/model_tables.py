"""A service model as the coefficient tables of a hardware file."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from orsched.errors import InputError
from orsched.service import Affine, Hinged, Lockstep, ServiceModel, Tabulated

_DIGITS = 6
_OPTIONAL = ("mixed_sequence_s", "kv_skew_share")
_HINGE = "hinge_tokens"
_AXES = ("at", "axes")


def form_of(service: ServiceModel) -> str:
    """Return the name of a model's form in a hardware file."""
    return type(service).__name__.lower()


def coefficient_tables(service: ServiceModel) -> dict[str, Any]:
    """Return the coefficients of a model, rounded to the digits that mean something.

    Raises
    ------
    InputError
        When its form is none that a calibration yields.
    """
    if isinstance(service, Affine | Hinged):
        names = [field.name for field in fields(service) if field.name not in ("scaling", "power")]
        names.sort(key=_HINGE.__eq__)
        values = {name: significant(getattr(service, name), 10) for name in names}
        return {name: value for name, value in values.items() if value or name not in _OPTIONAL}
    if isinstance(service, Tabulated):
        return {name: _rounded(table) for name, table in service.to_mapping().items()}
    if isinstance(service, Lockstep):
        rank = service.service
        return {"ranks": service.ranks, "form": form_of(rank), "coefficients": coefficient_tables(rank)}
    raise InputError(f"a {form_of(service)} model has no coefficient tables here")


def significant(value: float, digits: int) -> float:
    """Round to significant digits."""
    return float(f"{value:.{digits}g}")


def _rounded(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: value if name in _AXES else _rounded(value) for name, value in values.items()}
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return significant(values, _DIGITS)
