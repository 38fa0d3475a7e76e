"""Texts of others, made fit for a message: one line, without control characters, of bounded length."""

from __future__ import annotations

from orsched.checks import has_control

MOST_CHARACTERS = 500
"""Most characters of such a text."""


def one_line(text: str) -> str:
    """`text` in one line; control characters become ``?``, and what is too long is cut off."""
    line = " ".join(text[: 4 * MOST_CHARACTERS].split())
    line = "".join("?" if has_control(character) else character for character in line)
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 3] + "..."


def error_line(error: BaseException) -> str:
    """What an error is and says, in one line, as ``"KeyError: 'x'"``."""
    try:
        said = str(error)
    except Exception:  # the text is the other's code, too
        said = "its text cannot be read"
    return one_line(f"{type(error).__name__}: {said}" if said else type(error).__name__)
