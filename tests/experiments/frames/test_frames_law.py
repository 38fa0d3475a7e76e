"""Every command of ``orsched`` is one call of ``experiments.frames``, with its options and their defaults."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from experiments import frames
from experiments.cli.app import app
from experiments.fleet.asked import listed
from orsched.errors import InputError

PAGE = Path(__file__).parents[3] / "docs" / "python-api.md"

OUTPUT = {"--json", "--out", "--output", "--csv", "--plot"}
"""Options about files and forms of what is printed; a call may have them, with a default of its own."""

CALLED = {"list": "listing"}
"""Commands whose call has another name: ``list`` is a built-in."""

OWN_CALL = {("fleet", "--list"): "fleet_list"}
"""Options that are a call of their own, as they print another table."""

NEEDED = {
    "calibrate": ("missing.csv",),
    "evaluate": ("sarathi",),
    "fleet": ("missing.toml",),
    "list": ("policies",),
    "report": ("missing",),
    "reproduce": ("wait",),
    "run": ("demo", "missing"),
    "results list": ("missing",),
    "results export": ("missing",),
    "results query": ("missing", "SELECT 1"),
    "results failures": ("missing",),
    "results compact": ("missing",),
    "results table": ("missing",),
}
"""Arguments without a default."""


def leaves(command, name=""):
    """All commands with their full name."""
    if not hasattr(command, "commands"):
        return {name: command}
    return {
        full: leaf
        for child, sub in command.commands.items()
        for full, leaf in leaves(sub, f"{name} {child}".strip()).items()
    }


COMMANDS = leaves(typer.main.get_command(app))


def call_of(command):
    return getattr(frames, CALLED.get(command, command.replace(" ", "_").replace("-", "_")))


def spelled(param):
    """The keyword of an option, the name of an argument."""
    return param.opts[0].removeprefix("--").replace("-", "_")


def params(command):
    """Options and arguments that a call must know, by keyword."""
    kept = [p for p in COMMANDS[command].params if p.opts[0] not in {*OUTPUT, "--help"}]
    return {spelled(p): p for p in kept if (command, p.opts[0]) not in OWN_CALL}


def plain(default):
    return tuple(default) if isinstance(default, list) else default


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_call_has_the_options_of_its_command(command):
    """Claim: every option is a keyword of its name, required or with an equal default; every keyword is an option."""
    signature = inspect.signature(call_of(command)).parameters
    for name, param in params(command).items():
        assert name in signature, f"{command} {param.opts[0]}"
        default = signature[name].default
        assert (default is inspect.Parameter.empty) == param.required
        if not param.required:
            assert plain(default) == plain(param.default), f"{command} {param.opts[0]}"
    known = {spelled(p) for p in COMMANDS[command].params}
    assert set(signature) <= known


def test_every_call_is_that_of_a_command():
    """Claim: nothing is exported but the calls of commands and what they return."""
    calls = {name for name in frames.__all__ if inspect.isfunction(getattr(frames, name))}
    assert calls == {call_of(command).__name__ for command in COMMANDS} | set(OWN_CALL.values())
    for name in set(frames.__all__) - calls:
        assert hasattr(getattr(frames, name), "_fields")
        assert hasattr(getattr(frames, name), "_repr_html_")


RANGES = [
    (command, name, wrong)
    for command in sorted(COMMANDS)
    for name, param in params(command).items()
    for wrong in (
        *([] if getattr(param, "min", None) is None else [param.min - 1]),
        *([] if getattr(param, "max", None) is None else [param.max + 1]),
    )
]


@pytest.mark.parametrize(("command", "name", "wrong"), RANGES)
def test_ranges_of_options_hold_for_keywords(command, name, wrong):
    """Claim: what the command line refuses as out of range is refused before any work, naming the option."""
    needed = () if command == "fleet" and name == "spec" else NEEDED.get(command, ())
    with pytest.raises(InputError, match=f"--{name.replace('_', '-')}"):
        call_of(command)(*needed, **{name: wrong})


def test_there_are_ranges_to_hold():
    """Claim: the test above is not empty: workers of every parallel command are in it."""
    assert len(RANGES) >= 20
    assert {command for command, name, _ in RANGES if name == "workers"} >= {"evaluate", "gap-table", "run", "check"}


def test_the_list_of_fleets_is_a_call():
    """Claim: `fleet_list` has what ``orsched fleet --list --json`` prints."""
    frame = frames.fleet_list()
    for kind, rows in listed().items():
        assert frame.loc[frame["kind"] == kind, ["name", "description"]].to_dict("records") == rows


@pytest.mark.parametrize("module", ["experiments", "experiments.frames", "experiments.cli.app"])
def test_importing_is_fast(module):
    """Claim: neither pandas nor numpy, which are slow to import, is imported before a call or a command."""
    code = f"import sys, {module} as m; dir(m); print([name for name in ('pandas', 'numpy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_page_has_every_call_beside_its_command():
    """Claim: the table of docs/python-api.md pairs each command with its call."""
    rows = re.findall(r"^\| `([a-z -]+)` \| `([a-z_]+)\(", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert dict(rows) == {
        **{command: call_of(command).__name__ for command in COMMANDS},
        **{f"{command} {option}": call for (command, option), call in OWN_CALL.items()},
    }


def test_unknown_names_are_attribute_errors():
    """Claim: the package is an ordinary module for whoever looks for what it does not have."""
    assert not hasattr(frames, "evaluat")
    assert set(frames.__all__) <= set(dir(frames))
