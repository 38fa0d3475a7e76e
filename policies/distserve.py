"""DistServe (OSDI '24): prefill and decode on instances of their own; those that decode pull finished prompts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_number, check_whole
from orsched.engine.plan import Plan
from orsched.engine.pool import DECODERS
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Batcher, Policy
from orsched.workloads import Workload
from policies.parts.prefill_first import PromptsFirst
from policies.system import System

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView
    from orsched.engine.view import InstanceView


@dataclass(frozen=True, slots=True)
class DistServeSettings:
    """Limits of both sides. Sources: LLMServe/DistServe 82831f1, ``distserve/api_server`` and ``distserve/config.py``.

    Parameters
    ----------
    context_max_batch_size : int
        Most prompts in a batch (``--context-max-batch-size`` 256).
    context_max_tokens_per_batch : int
        Most prompt tokens in a batch (``--context-max-tokens-per-batch`` 4096). A longer prompt goes alone: ours, the
        code would never run it.
    decoding_max_batch_size : int
        Most requests on a decode instance, running or pulled (``--decoding-max-batch-size`` 256; in the code those that
        have been pulled and do not run yet do not count).
    waiting_block_prop_threshold : float
        A decode instance pulls while those that it has pulled and that do not run yet hold less than this share of its
        KV blocks (``DecodingStageSchedConfig`` 0.05).

    Notes
    -----
    ``--decoding-max-tokens-per-batch`` (8192) is left out: a decode counts one token there, so that 256 never reach it.
    """

    context_max_batch_size: int = 256
    context_max_tokens_per_batch: int = 4096
    decoding_max_batch_size: int = 256
    waiting_block_prop_threshold: float = 0.05

    def __post_init__(self) -> None:
        for name in ("context_max_batch_size", "context_max_tokens_per_batch", "decoding_max_batch_size"):
            check_whole(self, name)
        check_number(self, "waiting_block_prop_threshold", above=True, most=1)


@dataclass(frozen=True, slots=True)
class Apart:
    """One batcher for instances that prefill, another for those that decode.

    Parameters
    ----------
    prefill, decode : Batcher
        What plans on each; the second also recomputes what has been preempted.
    """

    prefill: Batcher
    decode: Batcher

    def __call__(self, view: InstanceView) -> Plan:
        """Plan for the role of the instance."""
        return self.prefill(view) if view.role is Role.PREFILL else self.decode(view)


@dataclass(frozen=True, slots=True)
class Pull:
    """Accept a finished prompt while few pulled ones wait and its KV cache fits.

    It fits when it leaves the blocks that the decodes take in their next iteration (ours: the code leaves none and
    swaps the last request out). While preempted requests wait here nothing is pulled, because they return first.

    Parameters
    ----------
    max_batch_size : int
        Most requests here, running or pulled.
    waiting_share : float
        Share of the KV blocks that pulled requests which do not run yet may hold before the next one is pulled.
    """

    max_batch_size: int
    waiting_share: float

    def __call__(self, view: InstanceView, request: int) -> bool:
        """Whether `request` is pulled now."""
        return (
            not view.waiting
            and len(view.running) + view.num_inbound < self.max_batch_size
            and view.inbound_blocks < self.waiting_share * view.capacity_blocks
            and view.blocks_for(view.arriving_tokens(request)) + view.growth_blocks() <= view.free_blocks
        )


def least_busy_prefill(view: FleetView, request: int) -> int | None:
    """The instance with the fewest prompts in progress or waiting, finished ones left out (``simdistserve``)."""
    return view.least("prompts", lambda i: view.num_running(i) + view.num_waiting(i))


def least_busy_decode(view: FleetView, request: int) -> int | None:
    """The decode instance with the fewest requests in progress or queued for it (``simdistserve``)."""
    return view.least("in system", view.in_system, DECODERS)


def distserve(workload: Workload, fleet: Fleet, settings: DistServeSettings) -> Policy:
    """DistServe's online scheduling on a fleet of prefill and decode instances.

    Notes
    -----
    The serving code has one instance of each kind; the choice between several is that of its simulator. A decode
    instance whose growth does not fit swaps its last request out, and swapped requests return first. The engine has no
    swap: here the last request is preempted, recomputed on the same instance, and nothing is pulled before. The search
    for the best numbers of instances and their parallelism is no part of it: the fleet is given.

    Raises
    ------
    InputError
        When the fleet has no decode instances, or has some that do everything.
    """
    roles = {group.role for group in fleet.groups}
    if roles != {Role.PREFILL, Role.DECODE}:
        raise InputError(
            f"distserve needs prefill and decode groups and no others; the fleet has {', '.join(sorted(roles))}"
        )
    tokens = settings.context_max_tokens_per_batch
    return Policy(
        "distserve",
        Apart(
            PromptsFirst(tokens, settings.context_max_batch_size, most_pauses=0),
            PromptsFirst(tokens, settings.decoding_max_batch_size, most_pauses=0),
        ),
        route=least_busy_prefill,
        place=least_busy_decode,
        accept=Pull(settings.decoding_max_batch_size, settings.waiting_block_prop_threshold),
        settings=asdict(settings),
    )


SYSTEMS = (
    System(
        "distserve",
        "DistServe: prefill batches of 4096 tokens, decode instances pull, fewest requests first on both sides",
        DistServeSettings,
        distserve,
        uses_lengths=lambda settings: False,
    ),
)
