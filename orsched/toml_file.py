"""Text from outside as TOML that follows a schema, and one line that says what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, TypeVar

from orsched.checks import MOST_SHOWN, has_control, shown
from orsched.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    Table = TypeVar("Table", bound=BaseModel)

MOST_PARTS = 100
"""Most parts of a dotted key: far beyond every schema. Parsing takes time quadratic in their number."""

_LONG_KEY = re.compile(
    r"(?<![\w-])" + rf"(?:(?:[\w-]+|\"[^\"\n]*\"|'[^'\n]*')[ \t]*\.[ \t]*){{{MOST_PARTS}}}", re.ASCII
)


def toml_text(path: Path, most_bytes: int, what: str) -> str:
    """Read a file of at most `most_bytes`; `what` it is, as in "a specification", goes into errors.

    Raises
    ------
    InputError
        When it is missing, no plain file (a device or a pipe may never end), too large, or not UTF-8.
    """
    try:
        if not S_ISREG(path.stat().st_mode):
            raise InputError(f"{path}: cannot be read as {what} (not a plain file)")
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise InputError(f"{path}: more than {most_bytes:,} bytes, the most that {what} may have")
        return data.decode()
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as {what} ({error})") from None


def checked_toml(schema: type[Table], text: str, where: str) -> Table:
    """Parse `text` as TOML that follows `schema`; `where` names the file in errors.

    Raises
    ------
    InputError
        When it is no TOML, is nested too deeply, has an integer of thousands of digits, or breaks the schema.
    """
    from pydantic import ValidationError

    if _LONG_KEY.search(text):
        raise InputError(f"{where}: not a TOML file (a key of more than {MOST_PARTS} parts)")
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
    """Say in one line what is wrong with the first offending field; of its value only what is short is shown.

    A string stands in quotes, so that ``"3"`` is told from ``3``.
    """
    first = error.errors()[0]
    field = ".".join(map(printed, first["loc"]))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    value = "" if first["type"] == "missing" or isinstance(first["input"], dict | list) else _value(first["input"])
    message = first["msg"][:1].lower() + first["msg"][1:]
    return f"{field}{' = ' if value else ''}{value}{': ' if field else ''}{message}{more}"


def _value(value: object) -> str:
    return shown(value) if isinstance(value, str) else printed(value)


def printed(value: object) -> str:
    """At most `MOST_SHOWN` characters of a name or a number from outside, in one line, for a message."""
    text = value[:MOST_SHOWN] if isinstance(value, str) else shown(value) if isinstance(value, int) else str(value)
    return ascii(text) if has_control(text) else text
