"""A paper's experiments as something that can be run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.reproductions.published import PublishedItem
from experiments.reproductions.study import Study
from experiments.reproductions.sweep import Sweep

if TYPE_CHECKING:
    from experiments.reproductions.sweep_plan import SweepPlan


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What to run for a paper, what it published, and what has to be said about the set-up.

    Parameters
    ----------
    name : str
        As on the command line; also the name of the page.
    title, source : str
        Of the page, and the paper.
    sweeps : callable
        ``sweeps(quick)``: the experiments.
    published : callable
        The published numbers, in the order of the page.
    setup : callable
        ``setup(study)``: Markdown paragraphs on devices, workloads and policies, with the numbers they rest on.
    remarks : callable
        ``remarks(study)``: Markdown paragraphs below the results.
    """

    name: str
    title: str
    source: str
    sweeps: Callable[[bool], tuple[Sweep, ...]]
    published: Callable[[], tuple[PublishedItem, ...]]
    setup: Callable[[Study], list[str]]
    remarks: Callable[[Study], list[str]]

    def plan(self, quick: bool, seed: int) -> SweepPlan:
        """Its sweeps with a seed, to be run; raises InputError for a negative one."""
        from experiments.reproductions.sweep_plan import SweepPlan

        return SweepPlan(self, self.sweeps(quick), quick, seed)
