"""Splitwise (ISCA '24): prompt and token instances, and a pool between them that grows and shrinks with the load."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from orsched.checks import check_whole
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.group import Role
from orsched.policy import Information, Policy
from orsched.workloads import Workload
from policies.parts.mixed_pool import MIXED_TIER, Pooling
from policies.parts.prefill_first import PromptsFirst
from policies.system import System

if TYPE_CHECKING:
    from orsched.engine.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class SplitwiseSettings:
    """Limits of the pools. Sources: Mutinifni/splitwise-sim 8f99e7d (``scheduler.py``, ``instance.py``, ``configs``).

    Parameters
    ----------
    max_pending_tokens : int
        A prompt instance with a queue takes no prompt that would bring its pending prompt tokens above this
        (``prompt_max_pending_batch_tokens`` 8192 of the mixed pool's configuration, where
        ``token_max_pending_batch_tokens`` 2048 is read and never used).
    max_batch_tokens : int
        Tokens of an iteration (``max_batch_tokens`` 2048).
    max_batch_size : int
        Most requests admitted on an instance (``max_batch_size`` 512).
    max_preemptions : int
        Iterations in a row for which prompts may keep decodes out of the batch (``max_preemptions`` 4).
    lengths : {"assumed", "oracle"}
        What is known of outputs when memory is committed. ``"oracle"`` is the published simulator, which knows them;
        give the policy a predictor in its place with `Policy.predicted_by`. ``"assumed"`` (ours, the default because
        nobody knows them) takes `assumed_output_tokens` for all.
    assumed_output_tokens : int, optional
        Ours. None: the mean of the workload's law, rounded up.
    """

    max_pending_tokens: int = 8192
    max_batch_tokens: int = 2048
    max_batch_size: int = 512
    max_preemptions: int = 4
    lengths: Literal["assumed", "oracle"] = "assumed"
    assumed_output_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_pending_tokens", "max_batch_tokens", "max_batch_size"):
            check_whole(self, name)
        check_whole(self, "max_preemptions", least=0)
        if self.lengths not in ("assumed", "oracle"):
            raise InputError(f"SplitwiseSettings.lengths = {self.lengths!r}: must be 'assumed' or 'oracle'")
        if self.assumed_output_tokens is not None:
            check_whole(self, "assumed_output_tokens")


def known_output(view: FleetView, request: int) -> int:
    """The output length that the policy's information says."""
    return view.output_tokens(request)


@dataclass(frozen=True, slots=True)
class AssumedOutput:
    """The same output length for all.

    Parameters
    ----------
    tokens : int
        That length.
    """

    tokens: int

    def __call__(self, view: FleetView, request: int) -> int:
        """What is assumed, or what has been emitted already if that is more."""
        return max(self.tokens, view.prompt_tokens(request) - view.input_tokens(request) + 1)


def splitwise(workload: Workload, fleet: Fleet, settings: SplitwiseSettings) -> Policy:
    """Splitwise's cluster scheduler with the mixed pool, and its batches of prompts before decodes.

    Prefill groups are the prompt pool, decode groups the token pool; the mixed pool is empty at first.

    Notes
    -----
    A converted instance has the engine's role prefill and the tier `MIXED_TIER`: it takes new requests, may be chosen
    to decode for others, and a prompt that it finishes goes where was decided; the engine's role mixed would keep
    every request where it was prefilled. It returns to its pool at the next arrival after its last request has left and
    nothing is promised there; no decision is taken in between.

    Ours:

    - A request whose prompt runs in the mixed pool decodes in the token pool or where it is, never on another mixed
      instance, nor is a prompt instance converted for it. A finished prompt holds its memory until the target has room,
      and two mixed instances that are full of prompts for each other would wait for ever. (Proof that none wait in a
      circle: with this rule a request goes from the prompt pool to any pool or from the mixed pool to the token
      pool, and who sends or expects requests is not free, so that it does not change its pool back. Take the latest
      of the decisions that form a circle, x to y. If x was in the prompt pool, nobody was sending to it, since that
      would have made it mixed. If x was mixed, y was in the token pool, so that y was sending to nobody.)
    - When the chosen token instance is no more, the token pool is asked again (and the mixed one, for the prompt pool).
    - All decodes of an instance pause together (`PromptsFirst`); the simulator lets as many run as fit in the limit.
    - Memory is promised in KV blocks.

    Raises
    ------
    InputError
        When the fleet's groups are not of role prefill and decode, or one is in a tier of the mixed pool's name.
    """
    roles = {group.role for group in fleet.groups}
    if roles != {Role.PREFILL, Role.DECODE}:
        raise InputError(
            f"splitwise needs prefill and decode groups and no others; the fleet has {', '.join(sorted(roles))}"
        )
    if any(group.tier == MIXED_TIER for group in fleet.groups):
        raise InputError(f"splitwise calls its mixed pool {MIXED_TIER!r}: no group may start in a tier of that name")
    oracle = settings.lengths == "oracle"
    assumed = settings.assumed_output_tokens or math.ceil(workload.output_tokens.mean())
    pooling = Pooling(settings.max_pending_tokens, known_output if oracle else AssumedOutput(assumed))
    return Policy(
        "splitwise",
        PromptsFirst(settings.max_batch_tokens, settings.max_batch_size, settings.max_preemptions),
        route=pooling.route,
        place=pooling.place,
        information=Information.ORACLE if oracle else Information.NONE,
        settings={**asdict(settings), "assumed_output_tokens": None if oracle else assumed},
    )


SYSTEMS = (
    System(
        "splitwise",
        "Splitwise: prompt and token pools and a mixed one between them, 8192 pending prompt tokens",
        SplitwiseSettings,
        splitwise,
        uses_lengths=lambda settings: settings.lengths == "oracle",
    ),
)
