"""The file that says that a folder holds results, and in which format."""

from __future__ import annotations

import json
from pathlib import Path

from orsched.atomic import write_text
from orsched.errors import InputError

FORMAT = 1
NAME = "format.json"
_MOST_BYTES = 10_000


def write_marker(folder: Path) -> None:
    """Mark `folder` as a results folder of this format."""
    from importlib.metadata import version

    write_text(folder / NAME, json.dumps({"format": FORMAT, "orsched": version("orsched")}) + "\n")


def require_marker(folder: Path) -> str:
    """Return the version of orsched that made the results folder `folder`.

    Raises
    ------
    InputError
        When it is missing, no folder, no results folder, or one of another format.
    """
    if not folder.exists():
        raise InputError(f"folder {folder}: there is none")
    if not folder.is_dir():
        raise InputError(f"folder {folder}: is a file, not a folder of results")
    if (folder / NAME).exists() and not (folder / NAME).is_file():
        raise InputError(f"folder {folder}: its {NAME} is no plain file; nothing was changed")
    try:
        with (folder / NAME).open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
        number, made_by = found["format"], str(found["orsched"])[:40]
    except FileNotFoundError:
        raise InputError(f"folder {folder}: not a folder of results (it has no {NAME})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"folder {folder}: its {NAME} is damaged; nothing was changed") from None
    if number != FORMAT:
        raise InputError(
            f"folder {folder}: its format is {number!r} (written by orsched {made_by}), this orsched reads format "
            f"{FORMAT}; nothing was changed"
        )
    return made_by
