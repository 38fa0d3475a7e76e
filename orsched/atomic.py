"""Write files whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it takes the place of `path` in one step.

    What was written is on the disk before that. On an error or an interruption the temporary file is removed and
    `path` stays as it was. The folder must exist. Errors of the disk name `path`.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if error.errno is None:
            raise OSError(errno.EIO, str(error), str(path)) from error
        if error.filename is None or str(error.filename) == str(part):
            error.filename = str(path)  # the file that was asked for, not the one beside it
        raise
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8 with Unix line ends."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
