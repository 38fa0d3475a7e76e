"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console

PIPE_WIDTH = 200
"""Columns of a table when the output is no terminal, so that nothing wraps."""


def output_console() -> Console:
    """Standard output."""
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    return console


def error_console() -> Console:
    """Standard error: progress, notices and errors."""
    return Console(stderr=True, highlight=False, emoji=False)


def print_json(document: dict[str, Any]) -> None:
    """Write `document` as the one JSON object on standard output; no NaN, no infinity."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))
