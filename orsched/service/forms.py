"""The forms of a service model, by the name that a hardware file gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from orsched.errors import InputError, unknown_name
from orsched.service.affine import Affine
from orsched.service.hinged import Hinged
from orsched.service.lockstep import Lockstep
from orsched.service.model import ServiceModel
from orsched.service.tabulated import Tabulated
from orsched.service.tabulated.mapping import require_keys

Extras = Mapping[str, Any]
"""The optional parts that all forms share: ``scaling`` and ``power``."""


def service_model(form: str, coefficients: Mapping[str, Any], extras: Extras) -> ServiceModel:
    """Build a service model from the tables of a hardware file.

    Parameters
    ----------
    form : str
        One of `FORMS`.
    coefficients : mapping
        What the form needs.
    extras : mapping
        ``scaling`` (`Scaling` or None) and ``power`` (`PowerLaw` or None).

    Raises
    ------
    InputError
        When the form is unknown, or a coefficient is missing, unknown or impossible.
    """
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    return FORMS[form](coefficients, extras)


def _of_floats(kind: type[Affine] | type[Hinged]) -> Callable[[Mapping[str, Any], Extras], ServiceModel]:
    """Return the builder of a form whose coefficients are numbers."""
    known = [field.name for field in fields(kind) if field.name not in ("scaling", "power")]

    def build(coefficients: Mapping[str, Any], extras: Extras) -> ServiceModel:
        for name, value in coefficients.items():
            if name not in known:
                raise unknown_name(f"coefficient of form {kind.__name__.lower()}", name, known)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputError(f"coefficients.{name} = {value!r}: must be a number")
        return kind(**{name: float(value) for name, value in coefficients.items()}, **extras)  # type: ignore[arg-type]

    return build


def _tabulated(coefficients: Mapping[str, Any], extras: Extras) -> ServiceModel:
    return Tabulated.from_mapping(coefficients, **extras)


def _lockstep(coefficients: Mapping[str, Any], extras: Extras) -> ServiceModel:
    """Build a group from `ranks` and one rank's `form` and `coefficients`; the rank scales, the group draws power."""
    require_keys("coefficients", coefficients, ("ranks", "form", "coefficients"))
    rank = service_model(coefficients["form"], coefficients["coefficients"], {**extras, "power": None})
    return Lockstep(rank, coefficients["ranks"], extras["power"])


def _roofline(coefficients: Mapping[str, Any], extras: Extras) -> ServiceModel:
    from orsched.service.roofline.from_file import roofline_of

    return roofline_of(coefficients, extras)


def _two_resource(coefficients: Mapping[str, Any], extras: Extras) -> ServiceModel:
    from orsched.service.roofline.from_file import two_resource_of

    return two_resource_of(coefficients, extras)


FORMS: Mapping[str, Callable[[Mapping[str, Any], Extras], ServiceModel]] = {
    "affine": _of_floats(Affine),
    "hinged": _of_floats(Hinged),
    "tabulated": _tabulated,
    "lockstep": _lockstep,
    "roofline": _roofline,
    "two-resource": _two_resource,
}
