"""Where the bundled profiles are."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

_PROFILES = resources.files("orsched") / "data" / "profiles"


def bundled(files: Iterable[str]) -> tuple[Path, ...]:
    """Return the paths of bundled profiles."""
    return tuple(Path(str(_PROFILES / name)) for name in files)
