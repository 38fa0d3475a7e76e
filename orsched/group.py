"""Groups: identical instances of a fleet that play the same part."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from orsched.catalogue import Hardware
from orsched.checks import check_is, check_number, check_whole
from orsched.errors import InputError
from orsched.link import Link

MOST_INSTANCES = 100_000
"""Most instances of a fleet."""


class Role(StrEnum):
    """What an instance does with the requests it is given."""

    MIXED = "mixed"
    """It takes new requests and finishes them."""
    PREFILL = "prefill"
    """It takes new requests; once a prompt is done the policy places the request, which may stay."""
    DECODE = "decode"
    """It takes requests whose prompt is done elsewhere, and none from the router."""


@dataclass(frozen=True, slots=True)
class Group:
    """Identical instances with one role.

    Parameters
    ----------
    hardware : Hardware
        What each of them is.
    size : int
        How many there are, >= 1.
    role : Role
        What they do; a policy may change it while the run goes on.
    tier : str, optional
        Service tier they start in, for policies that tell tiers apart; None: none.
    off : int
        How many of them are switched off at first (the last ones); a policy may start them.
    start_up_s : float
        Time from the order to start until an instance serves, seconds.
    link : Link
        Connection of each instance to the others.
    """

    hardware: Hardware
    size: int = 1
    role: Role = Role.MIXED
    tier: str | None = None
    off: int = 0
    start_up_s: float = 0.0
    link: Link = field(default_factory=Link)

    def __post_init__(self) -> None:
        check_is(self, "hardware", Hardware)
        check_whole(self, "size", most=MOST_INSTANCES)
        if self.role not in tuple(Role):
            raise InputError(f"Group.role = {self.role!r}: must be one of {', '.join(map(repr, map(str, Role)))}")
        object.__setattr__(self, "role", Role(self.role))
        if self.tier is not None:
            check_is(self, "tier", str)
        check_whole(self, "off", least=0, most=self.size)
        check_number(self, "start_up_s", unit="seconds")
        check_is(self, "link", Link)

    @property
    def name(self) -> str:
        """Label in tables: hardware, with the count when there are several, and the role unless it is mixed."""
        counted = self.hardware.name if self.size == 1 else f"{self.size}x {self.hardware.name}"
        return counted if self.role is Role.MIXED else f"{counted} ({self.role})"
