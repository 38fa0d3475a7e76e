"""A closed loop of users at one instance: what a benchmark of a given concurrency does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from orsched.errors import InputError


class ServingTimes(NamedTuple):
    """Time to first token and time per output token after it, seconds."""

    ttft_s: float
    tpot_s: float


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """So many users, each sending a request as soon as the last one is answered.

    The instance batches continuously: an iteration advances all running requests by a token and takes prompt tokens,
    first come first served, with what its budget leaves.

    Parameters
    ----------
    users : int
        Requests in the system (``N``).
    prompt_tokens, output_tokens : float
        Mean lengths (``l``, ``o``).
    token_budget : int
        Most tokens of an iteration, a token for each running request included (``c``).

    Raises
    ------
    InputError
        When there is no user, a prompt has no token, an output fewer than two (then there is no TPOT), or the users
        alone fill the budget.
    """

    users: int
    prompt_tokens: float
    output_tokens: float
    token_budget: int

    def __post_init__(self) -> None:
        for name, least in (("users", 1), ("prompt_tokens", 1), ("output_tokens", 2)):
            if not getattr(self, name) >= least:
                raise InputError(f"ClosedLoop.{name} = {getattr(self, name)!r}: must be at least {least}")
        if not self.token_budget > self.users:
            raise InputError(f"ClosedLoop.token_budget = {self.token_budget!r}: must exceed the {self.users} users")
