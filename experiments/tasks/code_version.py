"""What a number depends on beside its task: a fingerprint of the code and data that compute it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path

PACKAGES = ("orsched", "fluid", "policies")
"""Packages that decide a task's numbers."""

MODULES = (
    "experiments.comparison.build",
    "experiments.comparison.roles",
    "experiments.comparison.serving",
    "experiments.fleet.fleet_tables",
    "experiments.fleet.hand_over",
    "experiments.fleet.part",
    "experiments.fleet.policy_table",
    "experiments.fleet.streams",
    "experiments.fleet.tiers",
    "experiments.paths.renewed",
    "experiments.paths.source",
    "experiments.paths.streams",
    "experiments.render.plain",
    "experiments.tasks",
)
"""Modules and packages of `experiments` that decide them too; a test holds the list against what they import."""

CODE = (".py", ".toml", ".parquet")
"""Endings of code and data."""


@cache
def fingerprint(*names: str) -> str:
    """Hash of the files of packages and modules, as they were when the process first asked.

    Parameters
    ----------
    *names : str
        Importable names. Of a package all code and data below its folder count, of a module its file.
    """
    digest = hashlib.sha256()
    for name in names:
        file = Path(str(import_module(name).__file__))
        found: Iterable[Path] = sorted(file.parent.rglob("*")) if file.name == "__init__.py" else (file,)
        for part in found:
            if part.suffix in CODE:
                digest.update(f"{name}/{part.relative_to(file.parent)}".encode())
                digest.update(part.read_bytes())
    return digest.hexdigest()


def code_version() -> str:
    """The version of the code that tasks are computed by: 24 hexadecimal digits."""
    return fingerprint(*PACKAGES, *MODULES)[:24]
