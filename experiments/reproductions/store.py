"""Finished cells on disk, so that an interrupted reproduction goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.tasks.code_version import fingerprint
from orsched.atomic import write_text

PACKAGES = ("orsched", "fluid", "policies", "experiments")
"""Packages that a cell depends on."""


@dataclass(frozen=True, slots=True)
class CellStore:
    """One JSON file per finished cell in a folder; a cell counts only for the code and the settings that made it.

    Parameters
    ----------
    folder : Path
        Made with the first cell.
    """

    folder: Path

    def get(self, identity: str) -> dict[str, Any] | None:
        """The cell of that identity; None when it is not there or its file is damaged."""
        try:
            found = json.loads(self._file(identity).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, identity: str, cell: dict[str, Any]) -> None:
        """Write a cell whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self._file(identity), json.dumps(cell, allow_nan=False))

    def clear(self) -> None:
        """Remove every cell, and the folder if nothing else is in it."""
        if not self.folder.is_dir():
            return
        for file in self.folder.glob("*.json"):
            file.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _file(self, identity: str) -> Path:
        text = f"{fingerprint(*PACKAGES)}\n{identity}"
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
