"""The README and the pages of docs/ say what happens: their examples run and print what they show.

Blocks of a page run in order, in one namespace and one temporary folder, up to a line ``<!-- a new session -->``: what
is below it needs nothing from above, and is a test of its own. What is run:

- ```` ```python ````: executed. A ```` ```text ```` block next after it is what it prints.
- ```` ```console ````: each line ``$ orsched ...`` is run; the lines below it are what it prints.

In what is shown, a line ``...`` stands for any lines, and runs of spaces count as one. A comment on the
line before a block changes this; it must say why (or which code):

- ``<!-- not run: WHY -->``: the block is skipped.
- ``<!-- numbers within P%: WHY -->``: the words must agree, each number to P per cent.
- ``<!-- output not compared: WHY -->``: it is run, what it prints may differ.
- ``<!-- exits with N -->``: the exit code of its command, 0 otherwise.

Other fences (toml, csv, text on its own) are only read.
"""

import contextlib
import io
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
OUR_PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("tutorial", "add-a-policy", "add-a-service-model", "add-a-bound")),
    "docs/add-a-trace.md",
    "docs/cli.md",
)
PAGES = sorted({*OUR_PAGES, *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))})

FENCE = re.compile(r"(?P<indent> *)```(?P<language>[a-z]*) *$")
MARKER = re.compile(
    r" *<!-- (?:(?P<skip>not run): \S.*|(?P<loose>output not compared): \S.*"
    r"|numbers within (?P<percent>\d+)%: \S.*|exits with (?P<code>\d+)) -->"
)
SESSION = "<!-- a new session -->"
COMMAND_S = 150
"""Longest time of one command, seconds: several times what it takes on a machine that is busy."""
CODE_LIKE = re.compile(r" *<!--")
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line (from 1) of its first line of text, what its marker says, its session."""

    language: str
    line: int
    lines: tuple[str, ...]
    skipped: bool = False
    compared: bool = True
    percent: int = 0
    exit_code: int = 0
    session: int = 0

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def blocks(markdown):
    """All fenced blocks of a page, in order."""
    found, opened, before, session = [], None, "", 0
    for number, line in enumerate(markdown.splitlines(), 1):
        fence = FENCE.fullmatch(line)
        if opened is None and fence:
            marker = MARKER.fullmatch(before)
            if marker is None and CODE_LIKE.match(before):
                raise ValueError(f"line {number - 1}: no such marker: {before.strip()}")
            opened = (fence["language"], len(fence["indent"]), number + 1, marker, [])
        elif opened is not None and fence and not fence["language"]:
            language, _, start, marker, lines = opened
            found.append(
                Block(
                    language,
                    start,
                    tuple(lines),
                    skipped=bool(marker and marker["skip"]),
                    compared=not (marker and marker["loose"]),
                    percent=int(marker["percent"] or 0) if marker else 0,
                    exit_code=int(marker["code"] or 0) if marker else 0,
                    session=session,
                )
            )
            opened = None
        elif opened is not None:
            opened[-1].append(line[opened[1] :])
        elif line == SESSION:
            session += 1
        before = line
    if opened is not None:
        raise ValueError(f"line {opened[2] - 1}: this fence is never closed")
    return found


def commands(block):
    """The commands of a console block with their line and the lines shown below each."""
    found = []
    for offset, line in enumerate(block.lines):
        if line.startswith("$ "):
            found.append((block.line + offset, line[2:], []))
        elif not found:
            raise ValueError(f"line {block.line}: a console block starts with '$ command'")
        else:
            found[-1][2].append(line)
    return found


def assert_shown(shown, printed, where, percent=0):
    """Fail unless `printed` is what the page shows: ``...`` for any lines, numbers to `percent`."""

    def normal(lines):
        return [" ".join(line.split()) for line in lines if line.strip()]

    expected, got = normal(shown), normal(printed.splitlines())
    same = close(expected, got, percent / 100) if percent else matches(expected, got)
    if not same:
        pytest.fail(
            f"{where} shows\n\n" + "\n".join(expected) + "\n\nbut it prints\n\n" + "\n".join(got), pytrace=False
        )


def matches(expected, got):
    """Whether the lines agree, with ``...`` for any lines."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in got)) is not None


def close(expected, got, tolerance):
    """Whether the words of the lines agree, and their numbers to a relative tolerance; a last ``...`` is any lines."""
    if expected[-1] == "...":
        expected, got = expected[:-1], got[: len(expected) - 1]

    def numbers(lines):
        return [float(number.replace(",", "")) for number in NUMBER.findall("\n".join(lines))]

    def words(lines):
        return [" ".join(NUMBER.sub("#", line).split()) for line in lines]

    pairs = zip(numbers(expected), numbers(got), strict=False)
    return words(expected) == words(got) and all(abs(a - b) <= tolerance * max(abs(a), abs(b)) for a, b in pairs)


def run_python(block, page, module):
    """Execute a block in the page's namespace; what it printed."""
    printed = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, page, "exec", dont_inherit=True)
    with contextlib.redirect_stdout(printed):
        exec(code, vars(module))
    return printed.getvalue()


def run_console(block, page):
    """Run the commands of a block and compare what they print."""
    for line, command, shown in commands(block):
        where = f"{page}:{line}: `{command}`"
        words = shlex.split(command)
        if words[0] != "orsched":
            pytest.fail(f"{where}: only orsched is run here; mark the block `<!-- not run: WHY -->`", pytrace=False)
        program = Path(sys.executable).with_name("orsched")
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=COMMAND_S, check=False)
        if done.returncode != block.exit_code:
            pytest.fail(f"{where} exits with {done.returncode}:\n{done.stdout}{done.stderr}", pytrace=False)
        if block.compared and shown:
            assert_shown(shown, done.stdout + done.stderr, where, block.percent)


def run_page(text, page, module, session=0):
    """Run every block of a session of a page; how many python blocks and console blocks ran."""
    ran = {"python": 0, "console": 0}
    printed, loose = None, False
    for block in blocks(text):
        if block.session != session:
            continue
        if block.skipped:
            printed = None
        elif block.language == "python":
            printed, loose = run_python(block, page, module), not block.compared
            ran["python"] += 1
        elif block.language == "console":
            run_console(block, page)
            printed = None
            ran["console"] += 1
        elif block.language == "text" and printed is not None:
            if block.compared and not loose:
                assert_shown(block.lines, printed, f"{page}:{block.line}", block.percent)
            printed = None
    return ran


@pytest.fixture
def module(tmp_path, monkeypatch):
    """An empty ``__main__`` in an empty folder, as for a script of the reader's."""
    monkeypatch.chdir(tmp_path)
    fresh = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", fresh)
    return fresh


def sessions():
    """Every session of every page, as parameters of a test."""
    counts = {page: (ROOT / page).read_text(encoding="utf-8").count(f"\n{SESSION}\n") + 1 for page in PAGES}
    pairs = [(page, session) for page, count in counts.items() for session in range(count)]
    return [pytest.param(*pair, id="-".join(map(str, pair if pair[1] else pair[:1]))) for pair in pairs]


# A reader's session does not make errors of a library's advice about its next major version.
@pytest.mark.filterwarnings("ignore:.*PuLP 4.0:DeprecationWarning")
@pytest.mark.timeout(4 * COMMAND_S)
@pytest.mark.parametrize(("page", "session"), sessions())
def test_examples_run_and_print_what_is_shown(page, session, module):
    """Claim: a reader who copies the page gets what the page says."""
    ran = run_page((ROOT / page).read_text(encoding="utf-8"), page, module, session)
    if page in OUR_PAGES:
        assert sum(ran.values()) > 0, f"session {session} of {page} has no example that runs"


def test_pages_have_the_examples_they_promise():
    """Claim: the test above is about something: every how-to has Python, README and cli.md have commands."""
    languages = {page: [b.language for b in blocks((ROOT / page).read_text()) if not b.skipped] for page in OUR_PAGES}
    for page in OUR_PAGES:
        assert "python" in languages[page] or page == "docs/cli.md", page
    assert "console" in languages["docs/cli.md"]
    assert sum(languages[page].count("python") for page in OUR_PAGES) >= 20


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page):
    """Claim: no relative link is broken."""
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert not missing


PAGE = """
Text.

```python
x = 2
print(f"x is  {x}")
```

```text
x is 2
```

- in a list:

  <!-- not run: it would fail -->
  ```python
  raise RuntimeError
  ```

```python
print(x + 1)
print("noise")
print("end")
```

```text
3
...
end
```

```console
$ orsched --version
orsched 0.1.0
```

<!-- exits with 2 -->
```console
$ orsched evaluate --policy saratti
error: unknown policy 'saratti': did you mean 'sarathi' or 'srpt'?
```
"""


def test_a_page_runs_in_order_in_one_namespace(module):
    """Claim: blocks are found, marked ones skipped, indented ones dedented, names carried on."""
    found = blocks(PAGE)
    assert [b.language for b in found] == ["python", "text", "python", "python", "text", "console", "console"]
    assert [b.skipped for b in found] == [False, False, True, False, False, False, False]
    assert found[2].text == "raise RuntimeError\n"
    assert run_page(PAGE, "page", module) == {"python": 2, "console": 2}


def test_a_new_session_knows_nothing_of_those_before(module):
    """Claim: sessions run apart, each block in one of them."""
    text = f"```python\nx = 2\n```\n\n{SESSION}\n\n```python\nprint(x)\n```\n"
    assert [block.session for block in blocks(text)] == [0, 1]
    with pytest.raises(NameError, match="'x' is not defined"):
        run_page(text, "page", module, 1)
    assert run_page(text, "page", module) == {"python": 1, "console": 0}
    fenced = f"```text\n{SESSION}\n```\n\n```python\n```\n"
    assert [block.session for block in blocks(fenced)] == [0, 0]


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("x is 2", "x is 3", "x is 3"),
        ("...\nend", "end", "noise"),
        ("orsched 0.1.0", "orsched 9.9.9", "page:33"),
        ("exits with 2", "exits with 1", "exits with 2"),
        ("$ orsched --version", "$ rm --version", "only orsched is run here"),
    ],
)
def test_what_is_not_so_fails(good, bad, message, module):
    """Claim: another output, exit code or program fails, and the message says which."""
    with pytest.raises(pytest.fail.Exception, match=message):
        run_page(PAGE.replace(good, bad), "page", module)


def test_numbers_may_be_close_but_words_may_not_change():
    """Claim: with a tolerance a number may be off by as much, and everything else must be as shown."""
    shown = ["sarathi 1,000.0 ± 2.0%"]
    assert_shown(shown, "sarathi  1,040.0 ±  2.1%", "page", percent=5)
    for printed in (
        "sarathi 1,060.0 ± 2.0%",
        "orca 1,000.0 ± 2.0%",
        "sarathi 1,000.0 ± 2.0",
        "sarathi 1,000.0 ± 2.0% 7",
    ):
        with pytest.raises(pytest.fail.Exception, match="but it prints"):
            assert_shown(shown, printed, "page", percent=5)


def test_a_failing_example_points_at_its_line(module):
    """Claim: the traceback of an example names the page and the line in it."""
    with pytest.raises(RuntimeError) as caught:
        run_page(PAGE.replace("not run: it would fail", "output not compared: it has none"), "page", module)
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) in [
        ("page", 17),
        (str(Path("page").resolve()), 17),
    ]


@pytest.mark.parametrize(
    "marker", ["<!-- not run -->", "<!-- not run: -->", "<!-- skip: slow -->", "<!-- Not run: x -->"]
)
def test_nothing_is_skipped_without_a_reason(marker):
    """Claim: a marker without a reason, or an unknown one, is an error and not a silent skip."""
    with pytest.raises(ValueError, match="no such marker"):
        blocks(f"{marker}\n```python\n1 / 0\n```\n")


def test_an_open_fence_is_an_error():
    """Claim: a page cannot hide the rest of its examples behind a fence that is never closed."""
    with pytest.raises(ValueError, match="never closed"):
        blocks("```python\nx = 1\n")
