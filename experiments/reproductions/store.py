"""Finished cells on disk, so that an interrupted reproduction goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from orsched.atomic import write_text

PACKAGES = ("orsched", "fluid", "policies", "experiments")
CODE = (".py", ".toml", ".parquet")


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
        text = f"{code_fingerprint()}\n{identity}"
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


@cache
def code_fingerprint() -> str:
    """Hash of the code and data of the packages that a cell depends on, as they were when the process started it."""
    from importlib import import_module

    digest = hashlib.sha256()
    for package in PACKAGES:
        root = Path(str(import_module(package).__file__)).parent
        for file in sorted(root.rglob("*")):
            if file.suffix in CODE:
                digest.update(f"{package}/{file.relative_to(root)}".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()
