"""A mode: one way to run an instance, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from orsched.errors import InputError

QUANTITIES = ("present", "resident_tokens", "power_w", "cost_per_h")
"""What a mode has besides products; an objective or a limit may name any of them."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to run an instance of one kind, as rates per second while it is run that way.

    A batch composition, an operating point, a share of side work: whatever distinguishes two modes is
    in their numbers, and a system that needs something new makes a product of a new name.

    Parameters
    ----------
    label : str
        What a reader calls it.
    iteration_s : float
        Duration of one iteration, seconds, > 0; the time between two tokens of a decoding request.
    produces : mapping of str to float
        Rate per second of each product, >= 0: prompt tokens, decode tokens, KV tokens read, fine-tuning tokens.
    chip : str
        Kind of instance that runs it.
    present : float, optional
        Requests in the system while it runs, at least those taking part.
    resident_tokens : float, optional
        KV tokens held.
    power_w : float, optional
        Watts drawn by the instance.
    cost_per_h : float, optional
        Dollars per hour of the instance.

    Raises
    ------
    InputError
        For a negative or non-finite number, or a product named like a quantity.
    """

    label: str
    iteration_s: float
    produces: Mapping[str, float] = field(default_factory=dict)
    chip: str = "instance"
    present: float | None = None
    resident_tokens: float | None = None
    power_w: float | None = None
    cost_per_h: float | None = None

    def __post_init__(self) -> None:
        if not (self.iteration_s > 0 and math.isfinite(self.iteration_s)):
            raise InputError(f"mode {self.label!r}: iteration_s = {self.iteration_s!r}: must be finite and > 0")
        known = {name: getattr(self, name) for name in QUANTITIES}
        for name, value in (*self.produces.items(), *known.items()):
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise InputError(f"mode {self.label!r}: {name} = {value!r}: must be finite and >= 0")
        taken = {*QUANTITIES, "multiplier"} & self.produces.keys()
        if taken:
            raise InputError(f"mode {self.label!r}: {min(taken)!r} is a quantity; give the product another name")
