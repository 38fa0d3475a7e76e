"""Files of the user that a task reads: part of its identity by content, and checked when they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from orsched.errors import InputError


def content_of(path: Path) -> str:
    """Hash of a file's bytes.

    Raises
    ------
    InputError
        When it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def require_content(path: Path, content: str) -> None:
    """Refuse a file that is not what it was when the task was made.

    Raises
    ------
    InputError
        When its bytes have changed, or it cannot be read here.
    """
    if content_of(path) != content:
        raise InputError(f"{path}: has changed since the experiment was read; start the run again")
