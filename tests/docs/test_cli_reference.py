"""docs/cli.md is complete: every command, option, metric and exit code there is, and none that is not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from experiments.cli import entry
from experiments.cli.app import app
from experiments.render.files import WRITERS
from orsched.metrics import METRICS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def sections():
    """The text under each heading ``## orsched COMMAND``."""
    parts = re.split(r"^## `orsched ([a-z -]+)`\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


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


def test_every_command_has_a_section():
    """Claim: the sections are the commands."""
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_option_is_described(name):
    """Claim: the first cells of a section's option table are the command's options."""
    described = re.findall(r"^\| `(--[a-z0-9-]+|[A-Z]+)", sections()[name], flags=re.MULTILINE)
    options = [p.opts[0] if p.opts[0].startswith("-") else p.name.upper() for p in COMMANDS[name].params]
    assert sorted(described) == sorted(o for o in options if o != "--help")


def test_every_metric_is_described_with_its_unit():
    """Claim: names and units of the metrics table are those of the code."""
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| ([^|]+?) \|", PAGE, flags=re.MULTILINE))
    assert {name: metric.unit for name, metric in METRICS.items()} == {k: rows.get(k) for k in METRICS}


def test_every_key_of_the_json_is_described():
    """Claim: evaluate --json has the keys the page lists, in all its nested objects."""
    command = ["evaluate", "--policy", "sarathi", "--requests", "120", "--replications", "2", "--json"]
    done = subprocess.run(
        [Path(sys.executable).with_name("orsched"), *command], capture_output=True, text=True, check=True
    )
    document = json.loads(done.stdout)
    keys = {*document, *document["bounds"][0], *document["gaps"]["latency_mean_s"]}
    undescribed = {key for key in keys if f"`{key}`" not in sections()["evaluate"]}
    assert not undescribed


def test_exit_codes_and_file_endings_are_those_of_the_code():
    """Claim: the page names every exit code and every ending that --output takes."""
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)}
    assert codes == {0, 1, entry.BAD_INPUT, entry.INTERRUPTED, entry.UNREAD}
    for ending in WRITERS:
        assert f"`{ending}`" in sections()["gap-table"]


def test_help_of_every_command_works():
    """Claim: the page's advice, `orsched COMMAND --help`, holds for all of them."""
    for name in COMMANDS:
        assert CliRunner().invoke(app, [*name.split(), "--help"]).exit_code == 0
