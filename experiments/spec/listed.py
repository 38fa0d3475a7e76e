"""Lists of a specification: read from TOML's arrays, kept as tuples, neither empty nor endless."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

MOST_ENTRIES = 1_000
"""Most entries of a list."""

Item = TypeVar("Item")


def _tuple_of(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("not_a_list", "must be a list, in square brackets")
    return tuple(value)


def _of_sensible_length(value: tuple[Item, ...]) -> tuple[Item, ...]:
    if not 1 <= len(value) <= MOST_ENTRIES:
        raise PydanticCustomError(
            "length",
            "must have 1 to {most} entries, has {count}",
            {"most": f"{MOST_ENTRIES:,}", "count": f"{len(value):,}"},
        )
    return value


Listed = Annotated[tuple[Item, ...], BeforeValidator(_tuple_of), AfterValidator(_of_sensible_length)]
"""A tuple of at least one entry."""
