"""Write a catalogue entry as TOML (the standard library only reads it)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from orsched.errors import InputError

_WIDTH = 100


def toml_text(entry: Mapping[str, Any]) -> str:
    """Return an entry as TOML text.

    Plain values first, then tables, then arrays of tables, each in the order given. Values may be
    strings, numbers, booleans, lists of these, and within arrays of tables tables, which are written inline; long
    strings are folded over lines.

    Raises
    ------
    InputError
        A value is of a type an entry does not use.
    """
    plain = {key: value for key, value in entry.items() if not _is_table(value)}
    blocks = [_lines(plain)]
    for key, value in entry.items():
        if isinstance(value, Mapping):
            blocks.extend(_table(key, value))
        elif _is_table(value):
            blocks.extend(f"[[{key}]]\n{_lines(row)}" for row in value)
    return "\n".join(blocks)


def _table(name: str, table: Mapping[str, Any]) -> list[str]:
    """Return a table and the tables in it, each with its full name."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    inner = [
        block for key, value in table.items() if isinstance(value, Mapping) for block in _table(f"{name}.{key}", value)
    ]
    return [f"[{name}]\n{_lines(plain)}", *inner] if plain else inner


def _is_table(value: object) -> bool:
    is_rows = isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)
    return isinstance(value, Mapping) or is_rows


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(key, value)}\n" for key, value in table.items())


def _value(key: str, value: object) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        between = ",\n  " if value and isinstance(value[0], list) else ", "
        return "[" + between.join(_value(key, item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(name, item)}" for name, item in value.items()) + "}"
    raise InputError(f"{key} = {value!r} cannot be written to a catalogue entry")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    if len(quoted) <= _WIDTH or text[0].isspace():
        return quoted
    lines = [""]
    for word in re.findall(r"\S+\s*", quoted[1:-1]):
        if lines[-1] and len(lines[-1]) + len(word) > _WIDTH:
            lines.append("")
        lines[-1] += word
    return '"""\\\n' + "\\\n".join(f"  {line}" for line in lines) + '"""'
