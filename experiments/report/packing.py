"""Text and chart data as the page carries them: compressed, and in letters that mean nothing to HTML."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any


def packed(text: str) -> str:
    """Compress a text (gzip) and write it in base64; the browser unpacks it by its own ``DecompressionStream``.

    The same text gives the same letters.
    """
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def plain_json(value: Any) -> str:
    """JSON without spaces.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON does not have.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: ASCII, without a character that means something to HTML."""
    text = plain_json(value)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def by_columns(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification whose data sets are columns, a third of the size; the page's script makes rows of them again.

    A column of texts is ``{"of": distinct texts, "at": positions in them}``, any other a list.
    """
    return spec | {"datasets": {name: _columns(rows) for name, rows in spec["datasets"].items()}}


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in rows[0] if rows else ():
        column = [row[name] for row in rows]
        if all(isinstance(value, str) for value in column):
            texts = {text: place for place, text in enumerate(dict.fromkeys(column))}
            found[name] = {"of": list(texts), "at": [texts[text] for text in column]}
        else:
            found[name] = column
    return found
