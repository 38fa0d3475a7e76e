"""A reproduction of one small experiment, shared by tests."""

from experiments.reproductions.published import Mark, PublishedMean, PublishedOnly
from experiments.reproductions.reproduction import Reproduction
from experiments.reproductions.sweep import Family, Point, Sweep
from experiments.reproductions.wait.families import families
from experiments.reproductions.wait.laws import p512d20
from orsched import Fleet, hardware

POINTS = (Point(4.0, 60), Point(8.0, 60), Point(12.0, 60))


def small_sweep(extra: tuple[Family, ...] = ()) -> Sweep:
    """Three rates, the policies of every sweep, two caps, two sample paths."""
    fleet = Fleet.identical(hardware("llama2-7b/a100-80g"))
    return Sweep("small", "Small", p512d20(), fleet, POINTS, (*families(), *extra), (21, 42), 2, 2)


def small(quick: bool = False) -> Reproduction:
    """The sweep, one number to compare with and one that must not be."""
    items = (
        PublishedMean("Means", "sarathi at 8/s", Mark.PAPER, "small", "sarathi", 8.0, 1.0, 0.1),
        PublishedOnly("Others", "a figure", Mark.CODE, "3", "drawn by hand"),
    )
    return Reproduction(
        "small",
        "A small study",
        "Nobody, nowhere",
        lambda quick: (small_sweep(),),
        lambda: items,
        lambda study: ["Set up."],
        lambda study: ["Remarked."],
    )
