"""What computed the results, and what wrote the report."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from experiments.results.marker import require_marker

if TYPE_CHECKING:
    from experiments.findings import Findings

LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "simpy", "pulp", "highspy", "altair", "vl-convert-python")
"""Those that decide numbers or draw them."""


def versions(findings: Findings) -> list[tuple[str, str]]:
    """Names and versions: of the code that computed each result, and of what runs now."""
    codes = sorted(set(findings.rows()["code"].to_pylist()))
    return [
        ("results by orsched", require_marker(findings.folder.path)),
        ("code of the results", ", ".join(codes) or "nothing is finished"),
        ("specification", findings.plan.spec),
        ("report by orsched", version("orsched")),
        ("Python", f"{platform.python_version()} ({platform.system()} {platform.machine()})"),
        *((name, _installed(name)) for name in LIBRARIES),
    ]


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
