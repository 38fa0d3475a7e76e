"""One finished task in one file: written and read back, or known to be damaged."""

import pytest
from drawing import Draw
from hypothesis import given
from hypothesis import strategies as st

from experiments.results.parts import Parts, encode
from experiments.results.schema import SCHEMA, row_table
from experiments.results.sealed import DamagedError
from orsched.errors import InputError

TASK = Draw("a", 0.5, 0, size=5)
ROW = TASK.compute()
DATA = encode(ROW)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return Parts(tmp_path_factory.mktemp("parts"))


def test_what_is_written_is_read(parts):
    """Claim: a part holds the row of its task, in the columns of the schema, and its name is the task's."""
    parts.write(TASK.id, DATA)
    assert parts.read(TASK.id).equals(row_table(ROW))
    assert parts.read(TASK.id).schema.equals(SCHEMA)
    assert parts.names() == {TASK.id}
    assert [path.name for path in parts.folder.iterdir()] == [f"{TASK.id}.parquet"]


@given(place=st.integers(0, len(DATA) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(parts, place, bit):
    """Claim: a file with any one bit changed is damaged, in data, headers, footer and digest alike."""
    changed = bytearray(DATA)
    changed[place] ^= 1 << bit
    parts.write(TASK.id, bytes(changed))
    with pytest.raises(DamagedError, match=TASK.id):
        parts.read(TASK.id)


@given(length=st.integers(0, len(DATA) - 1))
def test_no_truncation_goes_unnoticed(parts, length):
    """Claim: every beginning of a part is damaged, the empty one included."""
    parts.write(TASK.id, DATA[:length])
    with pytest.raises(DamagedError, match=TASK.id):
        parts.read(TASK.id)


def test_a_part_of_another_task_is_not_trusted(parts):
    """Claim: a sound file under another task's name is refused."""
    other = Draw("a", 0.5, 1, size=5).id
    parts.write(other, DATA)
    with pytest.raises(DamagedError, match="another task"):
        parts.read(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"surprise": 1}, "surprise"),
        ({"kind": "joke"}, "'joke'"),
        ({"status": "maybe"}, "'maybe'"),
        ({"seed": "many"}, "schema"),
        ({"task": None}, "task"),
        ({"metrics": {"x": "much"}}, "schema"),
    ],
)
def test_a_row_that_breaks_the_schema_is_refused(change, message):
    """Claim: what a task returns is checked before it is kept."""
    with pytest.raises(InputError, match=message):
        encode(ROW | change)


def test_a_row_without_a_column_is_refused():
    """Claim: a column may be left out only where it may be empty."""
    for name in SCHEMA.names:
        less = {key: value for key, value in ROW.items() if key != name}
        if name in ("policy", "information", "predictor", "router", "load", "stable", "growth_per_s", "clock_s"):
            assert row_table(less)[name].to_pylist() == [None]
        else:
            with pytest.raises(InputError, match=name):
                encode(less)
