"""The doctor tells a sound installation from one that is not, and says what to do."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orsched.installation import PACKAGES, DoctorReport, Finding, doctor


def run_python(code: str, cwd: Path, pythonpath: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if pythonpath is not None:
        environment["PYTHONPATH"] = str(pythonpath)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_this_installation_is_sound():
    """In the environment the tests run in, nothing needs attention and all five packages are named."""
    report = doctor()
    assert report.ok, report.summary()
    assert {f"package {name}" for name in PACKAGES} <= {finding.name for finding in report.findings}


def test_every_required_library_is_listed_with_its_version():
    """Each runtime requirement of the distribution appears with the version installed."""
    details = {finding.name: finding.detail for finding in doctor().findings}
    for name in ("numpy", "scipy", "simpy", "pandas", "pulp"):
        assert details[f"library {name}"] == importlib.metadata.version(name)


@pytest.mark.parametrize("name", ["fluid", "policies"])
def test_an_unrelated_package_is_told_from_ours(name: str, tmp_path: Path):
    """A package of the same name earlier on the path is reported with its place and a remedy."""
    intruder = tmp_path / "elsewhere" / name
    intruder.mkdir(parents=True)
    (intruder / "__init__.py").write_text("")
    code = "from orsched.installation import doctor; print(*doctor().failures, sep='\\n')"
    printed = run_python(code, cwd=tmp_path, pythonpath=intruder.parent)
    assert printed.count("Finding(") == 1
    assert f"package {name}" in printed
    assert str(intruder.resolve()) in printed
    assert "PYTHONPATH" in printed


def test_a_missing_solver_is_a_finding(monkeypatch: pytest.MonkeyPatch):
    """Without highspy the doctor does not raise: it reports the solver and how to get it."""
    monkeypatch.setitem(sys.modules, "highspy", None)
    (failure,) = doctor().failures
    assert failure.name == "solver HiGHS"
    assert failure.remedy is not None
    assert "highspy" in failure.remedy


def test_a_missing_library_is_a_finding(monkeypatch: pytest.MonkeyPatch):
    """A required library that is not installed is reported with the command that installs it."""
    version = importlib.metadata.version

    def all_but_simpy(name: str) -> str:
        if name == "simpy":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", all_but_simpy)
    assert doctor().failures == (Finding("library simpy", "not installed", "python -m pip install simpy"),)


def test_sources_that_were_never_installed_are_a_finding(monkeypatch: pytest.MonkeyPatch):
    """Run from sources without installation, the doctor says so instead of raising."""

    def not_found(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", not_found)
    (failure,) = doctor().failures
    assert failure.name == "distribution orsched"


def test_summary_shows_remedies_and_a_verdict():
    """The summary has one line per finding, the remedy below a failure, and the count at the end."""
    report = DoctorReport((Finding("a", "1.0"), Finding("b", "broken", "mend it")))
    assert not report.ok
    assert str(report) == "ok  a: 1.0\nBAD b: broken\n    -> mend it\n1 of 2 need attention"
    assert str(DoctorReport((Finding("a", "1.0"),))).endswith("all sound")


def test_the_solver_is_loaded_only_when_asked(tmp_path: Path):
    """Importing the doctor loads neither pulp nor highspy."""
    code = "import sys, orsched.installation; print({'pulp', 'highspy'} & set(sys.modules))"
    assert run_python(code, cwd=tmp_path) == "set()"


def test_the_root_offers_the_function_whatever_was_imported_first(tmp_path: Path):
    """``orsched.doctor()`` works, also twice and after the module of that name was imported."""
    calls = "import orsched; orsched.doctor(); print(orsched.doctor().ok)"
    assert run_python(calls, cwd=tmp_path) == "True"
    assert run_python("from orsched.installation import DoctorReport; " + calls, cwd=tmp_path) == "True"
