"""Files that cannot be written are named."""

import errno

import pytest

from orsched.atomic import replacing


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "[Errno 28] No space left on device"),
        (OSError("the library says: no space"), "[Errno 5] the library says: no space"),
    ],
)
def test_an_error_without_a_name_gets_that_of_the_file(tmp_path, raised, message):
    """Claim: where writing fails with no file named, the error names the file asked for; nothing is left behind."""
    path = tmp_path / "t.csv"

    def write():
        with replacing(path) as part:
            part.write_text("half")
            raise raised

    with pytest.raises(OSError, match="space") as caught:
        write()
    assert caught.value.filename == str(path)
    assert str(caught.value) == f"{message}: {str(path)!r}"
    assert list(tmp_path.iterdir()) == []


def test_the_error_of_another_file_keeps_its_name(tmp_path):
    """Claim: what is read while writing and is not there is named itself."""
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "t.csv"):
        (tmp_path / "other").read_text()
