"""What a policy may do with a fleet beside planning batches: where a request goes, and orders to instances."""

from __future__ import annotations

from typing import NamedTuple

from orsched.group import Role


class Migrate(NamedTuple):
    """Move a decoding request with its KV cache, while it goes on decoding (`orsched.link.StagedCopy`).

    It is given up, and counted, when the request ends or is preempted first, or when the target does not accept it.

    Parameters
    ----------
    request : int
        A decoding request.
    target : int
        The instance it shall run on.
    """

    request: int
    target: int


class Start(NamedTuple):
    """Switch an instance on; it serves after its start-up time. One that drains serves again at once."""

    instance: int


class Stop(NamedTuple):
    """Give an instance nothing more; it is switched off once its last request has left."""

    instance: int


class Assign(NamedTuple):
    """Change an instance's tier or role; requests that it has stay and finish there.

    Parameters
    ----------
    instance : int
        Which.
    tier : str, optional
        Its tier from now on; None: none.
    role : Role, optional
        Its role from now on; None leaves it.
    """

    instance: int
    tier: str | None = None
    role: Role | None = None


Action = Migrate | Start | Stop | Assign


class Routing(NamedTuple):
    """Where a request goes, when a number does not say it all.

    Parameters
    ----------
    instance : int, optional
        The instance that serves it; None keeps it with the router, which is asked again when something has changed.
    actions : tuple of Action
        Carried out first.
    rejected : bool
        Whether it is turned away for good.
    """

    instance: int | None = None
    actions: tuple[Action, ...] = ()
    rejected: bool = False


REJECT = Routing(rejected=True)
"""Turn the request away."""

KEEP = Routing()
"""Keep the request with the router for now."""
