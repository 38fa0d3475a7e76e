"""The version of the code: it changes with whatever decides a number, and not with the rest of the program."""

import ast
import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from experiments.tasks import code_version
from experiments.tasks.code_version import MODULES, PACKAGES, fingerprint


def files_of(name):
    """Return the Python files of a module or package."""
    file = Path(find_spec(name).origin)
    return sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]


def imported(file):
    """Return the modules of `experiments` that a file imports when it runs, not for types alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in typing_only and node.module.startswith("experiments"):
            yield node.module


def test_everything_that_tasks_import_is_in_the_version():
    """Claim: no module of `experiments` that tasks use is left out of the version of the code."""
    for name in MODULES:
        for file in files_of(name):
            for module in imported(file):
                assert any(module == known or module.startswith(f"{known}.") for known in MODULES), (file, module)


def test_presentation_is_not_in_the_version():
    """Claim: command line, reports and specifications may change without a number computed again."""
    counted = {file for name in (*PACKAGES, *MODULES) for file in files_of(name)}
    for name in (
        "experiments.cli.app",
        "experiments.render.markdown",
        "experiments.spec.reading",
        "experiments.comparison.gaps",
    ):
        assert Path(find_spec(name).origin) not in counted


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Give a package with code, data and a note."""
    folder = tmp_path / "counted"
    folder.mkdir()
    for name, text in (("__init__.py", ""), ("law.py", "a = 1\n"), ("data.toml", "b = 2\n"), ("NOTE.md", "note\n")):
        (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("counted", None)


@pytest.mark.parametrize(("file", "counts"), [("law.py", True), ("data.toml", True), ("NOTE.md", False)])
def test_code_and_data_count(package, file, counts):
    """Claim: the fingerprint changes with code and data, and with nothing else."""
    fingerprint.cache_clear()
    before = fingerprint("counted")
    fingerprint.cache_clear()
    assert fingerprint("counted") == before
    (package / file).write_text("changed = 3\n")
    assert fingerprint("counted") == before, "a process keeps the version that it began with"
    fingerprint.cache_clear()
    assert (fingerprint("counted") != before) == counts


def test_a_new_file_counts(package):
    """Claim: a file more and a file renamed change the fingerprint."""
    fingerprint.cache_clear()
    before = fingerprint("counted")
    (package / "law.py").rename(package / "rule.py")
    fingerprint.cache_clear()
    assert fingerprint("counted") != before


def test_the_version_is_short():
    """Claim: the version is 24 hexadecimal digits."""
    assert len(code_version()) == 24
    int(code_version(), 16)
