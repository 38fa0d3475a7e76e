"""The site: it builds without a warning, and the reference lists what the packages export."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "package", ["orsched", "fluid", "policies", "proofs_check", "experiments", "experiments.frames"]
)
def test_the_reference_lists_what_a_package_exports(package):
    """Claim: the page of a package names exactly its public names."""
    page = (ROOT / "docs" / "api" / f"{package}.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([A-Za-z_]+)$", page, flags=re.MULTILINE)
    assert sorted(listed) == sorted(import_module(package).__all__)


def test_the_site_builds_without_a_warning(tmp_path):
    """Claim: every page is in the table of contents; links between pages and public docstrings are well formed."""
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(tmp_path / "trees")]
    done = subprocess.run([*sphinx, "docs", str(tmp_path / "site")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
