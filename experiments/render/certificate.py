"""What re-proves a bound, as a JSON document."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from fractions import Fraction
from typing import Any

from orsched.bound import Bound


def certificate_document(bound: Bound) -> dict[str, Any]:
    """The bound of one sample path with every fact of its certificate.

    Fractions become ``"p/q"``, records objects, arrays lists, and infinite numbers ``"inf"``.
    """
    return {
        "bound": bound.name,
        "metric": bound.metric,
        "value": bound.value,
        "subject": bound.subject,
        **{str(key): _document(value) for key, value in bound.certificate.items()},
    }


def _document(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _document(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_document(item) for item in value]
    if hasattr(value, "tolist"):
        return _document(value.tolist())
    return str(value)
