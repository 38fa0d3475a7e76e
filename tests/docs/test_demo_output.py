"""The demo's table in the README is what the demo prints."""

import re
from pathlib import Path

from experiments import gap_table
from experiments.cli.demo import REQUESTS
from experiments.orders.defaults import HARDWARE, WORKLOAD
from experiments.orders.defaults import POLICIES as DEFAULT_POLICIES
from experiments.orders.fleets import fleet_of
from orsched.gap_table import HEADERS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
POLICIES, LOAD = ("vllm-v1", "sjf", "wait"), 0.5


def shown(policy, load):
    """The line of the README's table for a policy at a load, as words."""
    (line,) = re.findall(rf"^ *{policy} +\w+ +{load:g} .*$", README, flags=re.MULTILINE)
    return line.split()


def test_the_table_of_the_readme_is_what_the_demo_prints():
    """Claim: three policies at one load, run again with the demo's settings, give the README's lines."""
    fleet = fleet_of(HARDWARE, 1)
    table = gap_table(WORKLOAD, fleet, POLICIES, loads=[LOAD], requests=REQUESTS, replications=20, seed=0)
    hidden = HEADERS.index("bound")
    for row in table.rows:
        cells = [cell for index, cell in enumerate(row.cells()) if index != hidden]
        assert shown(row.policy, LOAD) == " ".join(cells).split()


def test_the_readme_shows_every_row():
    """Claim: all policies of the demo are shown at all of its loads."""
    for policy in DEFAULT_POLICIES:
        for load in (0.5, 0.7, 0.9, 0.97):
            assert shown(policy, load)
