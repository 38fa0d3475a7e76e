"""Runs that an experiment keeps: what their files are called, and whether others are in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orsched.errors import InputError

REQUESTS_FOLDER = "requests"
"""Where runs are kept."""

MOST_LETTERS = 60
"""Longest part of a label that a file's name has."""


def run_file(place: int, label: str, replication: int) -> str:
    """Name of the file of a policy's run: its place in the list, what of its label any file system takes, its path."""
    plain = re.sub(r"[^A-Za-z0-9+._-]+", "_", label)[:MOST_LETTERS]
    return f"{place}-{plain}-{replication}.parquet"


def require_no_others(out: Path, labels: Sequence[str], replications: int) -> None:
    """Refuse a folder of results that holds runs which an experiment with these policies would not replace.

    They would lie beside its results as if they were part of them; nothing is deleted.

    Parameters
    ----------
    out : Path
        Folder of results; it need not exist.
    labels : sequence of str
        Of the policies whose runs will be kept; empty when none are.
    replications : int
        Sample paths.

    Raises
    ------
    InputError
        Naming one of them.
    """
    own = {run_file(place, label, k) for place, label in enumerate(labels) for k in range(replications)}
    others = sorted(file.name for file in (out / REQUESTS_FOLDER).glob("*.parquet") if file.name not in own)
    if others:
        raise InputError(
            f"folder {out / REQUESTS_FOLDER}: holds {others[0]}, a run of another experiment; give another folder, or "
            "remove it"
        )
