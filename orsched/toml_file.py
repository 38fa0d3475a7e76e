"""Text from outside as TOML that follows a schema, and one line that says what is wrong with it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, TypeVar

from orsched.checks import MOST_SHOWN, has_control
from orsched.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    Table = TypeVar("Table", bound=BaseModel)


def checked_toml(schema: type[Table], text: str, where: str) -> Table:
    """Parse `text` as TOML that follows `schema`; `where` names the file in errors.

    Raises
    ------
    InputError
        When it is no TOML, is nested too deeply, has an integer of thousands of digits, or breaks the schema.
    """
    from pydantic import ValidationError

    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{where}: not a TOML file (nested too deeply)") from None
    except ValueError as error:  # TOMLDecodeError, and integers of too many digits
        raise InputError(f"{where}: not a TOML file ({str(error)[:200]})") from None
    try:
        return schema.model_validate(table)
    except ValidationError as error:
        raise InputError(f"{where}: {explain(error)}") from None


def one_line(text: str) -> str:
    """Refuse a string with control characters, as a validator of a schema."""
    if has_control(text):
        raise ValueError("should have no control characters")
    return text


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with the first offending field."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    given = "" if first["type"] == "missing" else f" = {_one_line(first['input'])}"
    return f"{field}{given}: {first['msg'].lower()}{more}"


def _one_line(value: object) -> str:
    text = str(value)[:MOST_SHOWN]
    return ascii(text) if has_control(text) else text
