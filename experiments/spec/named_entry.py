"""What entries of a specification share that may be given by a name alone."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from experiments.fleet.part import Part


class NamedEntry(Part):
    """An entry that may be given by its name alone: a string in place of a table is its first field."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, str | dict | cls):
            raise PydanticCustomError("not_an_entry", "must be a name or a table")
        return {next(iter(cls.model_fields)): value} if isinstance(value, str) else value
