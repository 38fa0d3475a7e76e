"""CSV in pieces has the bytes that pandas writes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.results import csv_text as module
from experiments.results.csv_text import csv_text
from experiments.results.export import write_frame

TEXTS = st.one_of(st.none(), st.text(st.sampled_from("a,\"\n\r'; \té\x00"), max_size=4), st.text(max_size=5))
ROWS = st.lists(
    st.tuples(
        st.floats(), st.integers(-(2**63), 2**63 - 1), TEXTS, st.one_of(st.none(), st.booleans()), st.booleans(), TEXTS
    ),
    max_size=12,
)


def framed(rows):
    kinds = ("float64", "int64", "object", "boolean", "bool", "str")
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return pd.DataFrame(
        {
            f'c "{place}",': pd.Series(column, dtype=kind)
            for place, (column, kind) in enumerate(zip(columns, kinds, strict=True))
        }
    )


def plain(frame):
    return frame.to_csv(index=False, lineterminator="\n")


@given(rows=ROWS, size=st.integers(1, 5))
@example(rows=[(-0.0, 0, "", None, True, "a,b"), (0.0, -1, None, False, False, None)], size=3)
@example(
    rows=[(1e16, 0, "\r", True, True, "\n"), (5e-324, 0, '"', True, True, ""), (1e-4, 1, "None", None, True, "nan")],
    size=9,
)
def test_the_bytes_are_those_of_pandas(rows, size):
    """Claim: for floats, whole numbers, truths and texts of every kind, in pieces of any size."""
    frame = framed(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", size)
        assert "".join(csv_text(frame)) == plain(frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": ["", None, "x"]}),
        pd.DataFrame({"a": [1, "x", 2.5], "b": [1.0, 2.0, np.nan]}),
        pd.DataFrame({"a": np.array([0.1, 0.2], dtype="float32"), "b": [1, 2]}),
        pd.DataFrame({"a": pd.to_datetime(["2026-01-02", None]), "b": pd.array([1, None], dtype="Int64")}),
        pd.DataFrame([[1, "x"], [2, "y"]], columns=["a", "a"]),
        pd.DataFrame({"a": [], "b": []}),
        pd.DataFrame(),
    ],
)
def test_other_columns_are_written_too(frame):
    """Claim: what the fast way does not know is written by pandas itself."""
    assert "".join(csv_text(frame)) == plain(frame)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    """Claim: an error amid the rows leaves the file that was there, and nothing beside it."""
    path = tmp_path / "table.csv"
    frame = framed([(1.0, 1, "a", True, True, "b")] * 3)
    write_frame(frame, path)
    assert path.read_bytes() == plain(frame).encode()
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write_frame(frame.assign(more="\ud800"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
