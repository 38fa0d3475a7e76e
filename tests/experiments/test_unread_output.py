"""Output that nobody reads to the end, and files that cannot be written."""

import os
import subprocess
import sys

import pytest

from orsched.atomic import write_text


@pytest.mark.parametrize("arguments", [["list", "workloads"], ["list", "routers", "--json"], ["--help"]])
def test_a_reader_that_leaves_is_no_finding(arguments):
    """Claim: with a closed pipe as standard output the exit code is 141, not that of `doctor`, and nothing is said."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from experiments.cli import main; sys.exit(main())", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_errors_name_the_file_that_was_asked_for(tmp_path):
    """Claim: when a file cannot be written the error names it, not the temporary one beside it."""
    path = tmp_path / "nowhere" / "table.csv"
    with pytest.raises(FileNotFoundError) as caught:
        write_text(path, "x")
    assert caught.value.filename == str(path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as caught:
        write_text(tmp_path / "folder", "x")
    assert caught.value.filename == str(tmp_path / "folder")
