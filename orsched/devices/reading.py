"""Reading a device's data file: size limit, then TOML and schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from orsched.errors import InputError
from orsched.toml_file import checked_toml

if TYPE_CHECKING:
    from pydantic import BaseModel

    Table = TypeVar("Table", bound=BaseModel)

MOST_CHARACTERS = 100_000
"""Longest chip or model file that is read."""


def checked_table(schema: type[Table], text: str, where: str) -> Table:
    """Parse `text` as TOML that follows `schema`; `where` names the file in errors.

    Raises
    ------
    InputError
        When it is too long, no TOML, or breaks the schema; names the field and the value.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{where}: {len(text):,} characters, a chip or model file has at most {MOST_CHARACTERS:,}")
    return checked_toml(schema, text, where)
