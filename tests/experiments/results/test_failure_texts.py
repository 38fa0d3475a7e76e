"""What failed tasks raised, shown without commanding a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from experiments.results.failures import Failures, visible
from orsched.checks import has_control

TASK = "a" * 24
texts = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x00\r\x9b\u202e\u2066\n\t")), max_size=60)


@given(texts)
def test_control_characters_become_escapes_and_nothing_else_changes(text):
    """Claim: only line breaks and tabs are left of control characters; a text without any stays; escapes are ASCII."""
    shown = visible(text)
    assert not has_control(shown.replace("\n", "").replace("\t", ""))
    assert visible(shown) == shown
    harmful = [one for one in text if has_control(one) and one not in "\n\t"]
    assert len(shown) == len(text) + sum(len(ascii(one)) - 3 for one in harmful)


def test_a_failure_is_shown_with_escapes(tmp_path):
    """Claim: written, read, also from a file that has raw ones, every text of a failure is without them."""
    failures = Failures(tmp_path)
    wrote = failures.write(TASK, "served", "Error: \x1b[2J\u202e", "Traceback\n\tline \x1b]0;title\x07\n")
    assert wrote.error == r"Error: \x1b[2J\u202e"
    assert wrote.traceback == "Traceback\n\tline \\x1b]0;title\\x07\n"
    assert failures.read(TASK) == wrote
    path = failures.path(TASK)
    path.write_text(path.read_text().replace("served", r"ser\u001bved"))
    assert failures.read(TASK).what == r"ser\x1bved"
