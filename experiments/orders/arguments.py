"""Arguments of calls, held to the types that their signatures announce and turned into plain values."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from importlib import import_module
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from orsched.errors import InputError

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

HOMES = {
    "ExperimentSpec": "experiments.spec",
    "Fleet": "orsched.fleet",
    "FleetExperiment": "experiments.fleet.spec",
    "Hardware": "orsched.catalogue",
    "Policy": "orsched.policy",
    "Precision": "experiments.spec",
    "PromptType": "proofs_check.heavy_traffic",
    "WorkloadLike": "experiments.paths.source",
}
"""Where the types of signatures are that calls do not import before they run."""

_OTHER = object()
"""What converters return for a value that is not of their kind."""


def taken(call: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Let `call` refuse arguments that are not of the types in its signature, before anything else.

    It is given plain values: whole and other numbers of numpy as int and float (also arrays without a dimension),
    sequences as tuples, paths as `pathlib.Path`.

    Raises
    ------
    InputError
        From the call: naming the argument, its value and what is allowed.
    """
    signature = inspect.signature(call)

    @wraps(call)
    def checked(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        bound = signature.bind(*args, **kwargs)
        kinds = kinds_of(call)
        for name, value in bound.arguments.items():
            bound.arguments[name] = argument(name, value, kinds[name])
        return call(*bound.args, **bound.kwargs)

    return checked


def argument(name: str, value: object, kind: Any) -> Any:
    """`value` as a plain value of `kind`, a type as signatures have them; raises InputError, which names `name`."""
    found = _converted(value, kind)
    if found is _OTHER:
        from orsched.checks import shown  # here: it is slow to import

        raise InputError(f"{name} = {shown(value)}: must be {described(kind)}")
    return found


@cache
def kinds_of(call: Callable[..., Any]) -> Mapping[str, Any]:
    """The types of the arguments of `call`, by name."""
    names = _Names()
    known = vars(inspect.getmodule(call))
    texts = {name: text for name, text in inspect.get_annotations(call).items() if name != "return"}
    asked = type("_Asked", (), {"__annotations__": texts})
    return get_type_hints(asked, globalns=dict(known), localns=names)


class _Names(dict[str, Any]):
    """The types of `HOMES`, imported when they are asked for."""

    def __missing__(self, name: str) -> Any:
        return getattr(import_module(HOMES[name]), name)


def described(kind: Any) -> str:
    """What a type of a signature allows, in words."""
    words = list(dict.fromkeys(_words(one) for one in _alternatives(kind)))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return f"{len(get_args(kind))} numbers"
    if get_origin(kind) is Iterable:
        return f"a sequence (each {described(get_args(kind)[0])})"
    plain = {str: "a text", int: "a whole number", float: "a number", bool: "True or False", NoneType: "None"}
    return plain.get(kind) or f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"


def _alternatives(kind: Any) -> list[Any]:
    if get_origin(kind) in (Union, UnionType):
        return [each for one in get_args(kind) for each in _alternatives(one)]
    return [kind]


def _converted(value: object, kind: Any) -> Any:
    found = (_as_one(_unwrapped(value), one) for one in _alternatives(kind))
    return next((one for one in found if one is not _OTHER), _OTHER)


def _as_one(value: Any, kind: Any) -> Any:
    origin = get_origin(kind)
    if origin is Iterable:
        return _sequence(value, get_args(kind)[0])
    if origin is tuple:
        items = _sequence(value, get_args(kind)[0])
        return items if items is not _OTHER and len(items) == len(get_args(kind)) else _OTHER
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if getattr(kind, "_is_protocol", False):
        parts = [part for part in vars(kind) if not part.startswith("_")]
        return _OTHER if isinstance(value, type) or any(not hasattr(value, part) for part in parts) else value
    return value if isinstance(value, kind) else _OTHER


def _unwrapped(value: Any) -> Any:
    """A number of numpy, or of an array without a dimension, as Python's own."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _sequence(value: Any, kind: Any) -> Any:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | bytearray | memoryview | Mapping | type):
        return _OTHER
    items = tuple(_converted(item, kind) for item in value)
    return _OTHER if any(item is _OTHER for item in items) else items


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else _OTHER


def _number(value: Any) -> Any:
    if not isinstance(value, Real) or isinstance(value, bool):
        return _OTHER
    try:
        number = float(value)
    except OverflowError:
        return _OTHER
    return _OTHER if math.isnan(number) else number


def _path(value: Any) -> Any:
    if not isinstance(value, os.PathLike):
        return _OTHER
    text = os.fspath(value)
    return Path(text) if isinstance(text, str) else _OTHER


_PLAIN: Mapping[Any, Callable[[Any], Any]] = {
    str: lambda value: str(value) if isinstance(value, str) else _OTHER,
    int: _whole,
    float: _number,
    bool: lambda value: value if isinstance(value, bool) else _OTHER,
    NoneType: lambda value: value if value is None else _OTHER,
    Path: _path,
}
