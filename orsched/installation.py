"""Is this installation sound? Five import names, the interpreter, the libraries, the solver."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution

PACKAGES = ("orsched", "fluid", "policies", "proofs_check", "experiments")
REINSTALL = "install orsched again: make distclean venv in a clone, elsewhere pip install --force-reinstall"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    name : str
        What was checked, for example ``"package fluid"``.
    detail : str
        What was found: a version, a path, or what is wrong.
    remedy : str or None
        What to do next; None when there is nothing to do.
    """

    name: str
    detail: str
    remedy: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing needs to be done."""
        return self.remedy is None


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All findings, in the order checked."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every finding is sound."""
        return all(finding.ok for finding in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that ask for something to be done."""
        return tuple(finding for finding in self.findings if not finding.ok)

    def summary(self) -> str:
        """One line per finding, a second one with the remedy where there is one, and a verdict."""
        lines = []
        for finding in self.findings:
            lines.append(f"{'ok ' if finding.ok else 'BAD'} {finding.name}: {finding.detail}")
            lines += [] if finding.ok else [f"    -> {finding.remedy}"]
        bad = len(self.failures)
        lines.append(f"{bad} of {len(self.findings)} need attention" if bad else "all sound")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()


def doctor() -> DoctorReport:
    """Check this installation without changing it.

    Returns
    -------
    DoctorReport
        The Python version; whether each of the five import names resolves into the distribution ``orsched``
        and not into an unrelated package; the version of every library it requires; whether the HiGHS
        solver loads. A failed check is a finding with a remedy, never an exception.
    """
    return DoctorReport(tuple(_findings()))


def _findings() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, distribution  # here: it is slow to import

    yield Finding("Python", sys.version.split()[0])
    try:
        installed = distribution("orsched")
    except PackageNotFoundError:
        yield Finding("distribution orsched", "not installed", "in a clone: make venv, or pip install -e .")
    else:
        yield Finding("distribution orsched", installed.version)
        for name in PACKAGES:
            yield _package(name, installed)
        runtime = (line for line in installed.requires or [] if "extra ==" not in line)
        yield from (_library(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in runtime)
    yield _highs()


def _package(name: str, installed: Distribution) -> Finding:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return Finding(f"package {name}", "not found", REINSTALL)
    origin = Path(spec.origin).resolve()
    if origin in _own_roots(name, installed):
        return Finding(f"package {name}", str(origin))
    return Finding(
        f"package {name}",
        f"shadowed by an unrelated package: {origin}",
        f"start from another folder, take {origin.parent.parent} off PYTHONPATH, or uninstall what put "
        f"{name!r} there; surest is a fresh virtual environment for orsched",
    )


def _own_roots(name: str, installed: Distribution) -> set[Path]:
    """Return where this distribution may keep ``name/__init__.py``: in a clone, or among its files."""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    home = (name, "__init__.py")
    source = json.loads(installed.read_text("direct_url.json") or "{}")
    if source.get("dir_info", {}).get("editable", False):
        return {Path(url2pathname(urlsplit(source["url"]).path), *home).resolve()}
    return {Path(str(file.locate())).resolve() for file in installed.files or [] if file.parts == home}


def _library(name: str) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Finding(f"library {name}", version(name))
    except PackageNotFoundError:
        return Finding(f"library {name}", "not installed", f"python -m pip install {name}")


def _highs() -> Finding:
    try:
        version = import_module("highspy").Highs().version()
        if not import_module("pulp").HiGHS(msg=False).available():
            raise RuntimeError("pulp cannot use it")
    except Exception as error:  # a broken binary may raise anything, and the user wants to read it here
        remedy = "python -m pip install --force-reinstall highspy pulp"
        return Finding("solver HiGHS", f"does not load: {error}", remedy)
    return Finding("solver HiGHS", str(version))
