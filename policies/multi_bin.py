"""Multi-bin batching (Guldogan, Kunde, Lee, Pedarsani; arXiv 2412.04504): static batches of similar output length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orsched.checks import check_whole, check_wholes
from orsched.engine.plan import DECODE_UNDISTURBED, IDLE, Chunk, Plan
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.parts.bins import LengthBins
from policies.parts.pressure import outgrown
from policies.recipe import Recipe

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView


class Group(NamedTuple):
    """The next batch of a bin: whether it is complete, the request that came last to it or began it, its members."""

    formed: bool
    since: int
    members: list[int]


@dataclass(frozen=True, slots=True)
class StaticBatches:
    """One batch at a time, from one bin; nobody joins until all its members are done.

    A bin's batch is formed when `batch_size` of its requests wait, in order of arrival. The batch formed first is
    served first. Two additions of ours: once nothing arrives any more the bins run what is left, the oldest first;
    and as the paper knows no memory limit, a batch is also complete when the next request of its bin would not fit
    beside it, each counted with the longest output of the bin. Should a request outgrow that, the last admitted is
    preempted when memory runs out, and joins a later batch.

    Parameters
    ----------
    batch_size : int
        ``B``.
    longest : tuple of int
        Longest output of each bin in tokens, as known beforehand.
    """

    batch_size: int
    longest: tuple[int, ...]

    def __post_init__(self) -> None:
        check_whole(self, "batch_size")
        check_wholes(self, "longest")

    def __call__(self, view: InstanceView) -> Plan:
        """Plan the next batch, or the rest of the present one."""
        if len(self.longest) != view.num_classes:
            raise InputError(f"{len(self.longest)} longest outputs for {view.num_classes} bins: give one for each")
        if view.num_running:
            return outgrown(view) or DECODE_UNDISTURBED
        groups = [self._group(view, j) for j in range(len(self.longest)) if view.waiting_of(j)]
        ready = [group for group in groups if group.formed] or (groups if view.closed else [])
        if not ready:
            return IDLE
        first = min(ready, key=lambda group: group.since)
        return Plan(tuple(Chunk(request, view.prompt_tokens[request]) for request in first.members))

    def _group(self, view: InstanceView, bin_number: int) -> Group:
        """The first requests of a bin that go together."""
        free = view.capacity_blocks
        members: list[int] = []
        for request in view.waiting_of(bin_number):
            prompt = view.prompt_tokens[request]
            peak = max(prompt, view.input_tokens(request) + self.longest[bin_number] - 1)
            free -= view.blocks_for(peak)
            if members and free < 0:
                return Group(True, request, members)
            members.append(request)
            if len(members) == min(self.batch_size, view.max_num_seqs):
                return Group(True, request, members)
        return Group(False, members[0], members)


def multi_bin(workload: Workload, fleet: Fleet, bins: int = 4, batch_size: int = 64) -> Policy:
    """Multi-bin batching in `bins` bins of equal probability under the law of `workload`.

    The bin of a request is announced with it (information `class`), or follows from its predicted length. How many bins
    and how large batches are the deployment's choice; these defaults are ours.

    Parameters
    ----------
    workload : Workload
        Represents the law: the bins' edges and longest outputs are learnt from it.
    fleet : Fleet
        Not used.
    bins, batch_size : int
        ``k`` and ``B``.
    """
    edges = LengthBins.quantiles(workload, 1, bins)
    classes = edges.classify(workload)
    longest = tuple(int(np.max(workload.output_tokens[classes == j])) for j in range(edges.count))
    return Policy(
        "multi-bin",
        StaticBatches(batch_size, longest),
        information=Information.CLASS,
        num_classes=edges.count,
        num_cohorts=1,
        classify=edges,
        settings={"bins": edges.describe(), "batch_size": batch_size, "longest_output_tokens": list(longest)},
        takes_transfers=False,
    )


RECIPES = (
    Recipe(
        "multi-bin",
        "Multi-bin batching: static batches of 64 from 4 output-length bins, first formed first served; memory ours",
        Information.CLASS,
        multi_bin,
    ),
)
