"""Reading a device's data file: size limit, TOML, schema, and one line that says what is wrong."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, TypeVar

from orsched.errors import InputError

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
    from pydantic import ValidationError

    from orsched.hardware_file import explain

    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{where}: {len(text):,} characters, a chip or model file has at most {MOST_CHARACTERS:,}")
    try:
        return schema.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not a TOML file ({error})") from None
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error)}") from None
