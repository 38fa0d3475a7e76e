"""A rule that a learned policy may choose: a batcher, and when it may be chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orsched.checks import check_has, check_is

if TYPE_CHECKING:
    from orsched.engine.view import InstanceView
    from orsched.policy import Batcher


def always(view: InstanceView, /) -> bool:
    """Whatever the instance looks like."""
    return True


def something_decodes(view: InstanceView, /) -> bool:
    """Whether a plan without prompts runs anything."""
    return view.decoding() > 0


def no_prompt_in_progress(view: InstanceView, /) -> bool:
    """Whether every admitted request decodes."""
    return not view.prefilling


@dataclass(frozen=True, slots=True)
class Within:
    """Whether a budget of tokens is at least the number of running requests, so that none of them is left out.

    Parameters
    ----------
    tokens : int
        Token budget of an iteration.
    """

    tokens: int

    def __call__(self, view: InstanceView, /) -> bool:
        """Compare."""
        return view.num_running <= self.tokens


@dataclass(frozen=True, slots=True)
class Rule:
    """One choice of a learned policy.

    Parameters
    ----------
    name : str
        Label in tables and in the environment's `info`.
    batch : Batcher
        Plans the instance for as long as the choice stands; must be a lawful batcher on its own, for requests of one
        class.
    allowed : callable
        ``allowed(view)``: whether it may be chosen there. Where it is not, its plan could be refused or stand still.
    """

    name: str
    batch: Batcher
    allowed: Callable[[InstanceView], bool] = always

    def __post_init__(self) -> None:
        check_is(self, "name", str)
        check_has(self, "batch", "a function of the view", "__call__")
        check_has(self, "allowed", "a function of the view", "__call__")
