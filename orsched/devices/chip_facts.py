"""A chip: what its data sheet says, and what share of it is achievable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from orsched.checks import check_number, check_whole, has_control, shown
from orsched.devices.all_reduce_times import AllReduce
from orsched.errors import InputError

Topology = Literal["ring", "fully-connected"]
Kind = Literal["datasheet", "hypothetical"]

PRICE_ORDER = ("USD/h", "USD/h serverless", "USD")
"""Units of prices, the preferred one first: rent of a running instance, rent by use, purchase; then any other."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Where one value of a chip comes from.

    Parameters
    ----------
    source : str
        Publication, repository with commit, or derivation.
    confidence : str
        ``paper``, ``code``, ``third party``, ``derived``, ``unconfirmed`` (common knowledge or a machine-written
        summary), ``ours`` (an assumption of this toolkit) or ``calibrated`` (solved for by this toolkit).
    """

    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Price:
    """What a chip costs: `value` in `unit`, at `date` (ISO), according to `source`."""

    value: float
    unit: str
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator. Rates are dense peaks; a value that is not published is None.

    Parameters
    ----------
    name, title : str
        Catalogue name, and the full one.
    kind : str
        ``datasheet`` (it exists) or ``hypothetical``.
    fp16_flops : float
        Peak 16-bit FLOP/s without sparsity.
    memory_bytes : float
        Usable memory.
    bandwidth_bytes_s : float
        Peak memory bandwidth.
    compute_efficiency, memory_efficiency : float
        Achievable share of the two peaks, in (0, 1].
    dispatch_s : float
        Least time of an operator: launching and draining it.
    fp8_flops, int8_ops : float, optional
        Peak 8-bit rates.
    tdp_w, idle_w : float, optional
        Power limit, and power when nothing runs.
    link_bytes_s, link_latency_s : float, optional
        Bandwidth to the other chips of a tensor-parallel group, all links of one direction together, and time of a hop.
    link_efficiency : float
        Achievable share of the link bandwidth.
    link_chips : int, optional
        Largest group for which the links are known: those of one machine; None: no limit is known.
    topology : str
        ``ring`` or ``fully-connected``: which all-reduce the links are used for. Fully connected, each of the
        `link_chips - 1` links leads to one other chip, and a smaller group uses fewer of them.
    sms : int, optional
        Streaming multiprocessors (or what takes their place).
    clock_least_hz, clock_most_hz, clock_step_hz : float, optional
        Grid of core clocks.
    saturation_share, compute_share, sharpness : float, optional
        How memory traffic and arithmetic slow down on a share of the SMs: the fields of
        `orsched.service.point.Scaling`.
    all_reduces : tuple of AllReduce
        Measured all-reduces, by increasing group. They are used in place of the links, up to the largest group
        measured: to see the effect of other links, replace them by ``()``.
    prices : tuple of Price
        What it costs; `price` is the one that is used.
    facts : mapping of str to Fact
        Where each value comes from, by the names above.
    notes : str
        What to know before using it.
    """

    name: str
    title: str
    kind: str
    fp16_flops: float
    memory_bytes: float
    bandwidth_bytes_s: float
    compute_efficiency: float
    memory_efficiency: float
    dispatch_s: float
    fp8_flops: float | None = None
    int8_ops: float | None = None
    tdp_w: float | None = None
    idle_w: float | None = None
    link_bytes_s: float | None = None
    link_latency_s: float | None = None
    link_efficiency: float = 1.0
    link_chips: int | None = None
    topology: Topology = "ring"
    sms: int | None = None
    clock_least_hz: float | None = None
    clock_most_hz: float | None = None
    clock_step_hz: float | None = None
    saturation_share: float | None = None
    compute_share: float | None = None
    sharpness: float | None = None
    all_reduces: tuple[AllReduce, ...] = field(default=(), repr=False)
    prices: tuple[Price, ...] = field(default=(), repr=False)
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False, compare=False)
    notes: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or has_control(self.name):
            raise InputError(f"Chip.name = {shown(self.name)}: must be a name without control characters")
        if self.kind not in get_args(Kind):
            raise InputError(f"Chip.kind = {shown(self.kind)}: must be {' or '.join(map(repr, get_args(Kind)))}")
        for name, (least, most) in _LIMITS.items():
            if getattr(self, name) is not None:
                check_number(self, name, least=least, most=most)
        for low, high in (("idle_w", "tdp_w"), ("clock_least_hz", "clock_most_hz")):
            if None not in (least := getattr(self, low), most := getattr(self, high)) and least > most:
                raise InputError(f"Chip.{low} = {least!r}: must be at most {high} = {most!r}")
        if [table.gpus for table in self.all_reduces] != sorted({table.gpus for table in self.all_reduces}):
            raise InputError("Chip.all_reduces: must be of increasing groups")
        for name in ("sms", "link_chips"):
            if getattr(self, name) is not None:
                check_whole(self, name)
        if self.topology not in ("ring", "fully-connected"):
            raise InputError(f"Chip.topology = {self.topology!r}: must be 'ring' or 'fully-connected'")

    def peak_flops(self, dtype_bytes: float) -> float:
        """Peak FLOP/s of products with weights of `dtype_bytes`: the 8-bit peak for one byte or less, if there is one.

        A chip without 8-bit floating point widens the weights and computes at its 16-bit peak.
        """
        return self.fp8_flops if dtype_bytes <= 1 and self.fp8_flops is not None else self.fp16_flops

    @property
    def price(self) -> Price | None:
        """The price that hardware entries use: the first of the unit that comes first in `PRICE_ORDER`, or None."""
        order = {unit: place for place, unit in enumerate(PRICE_ORDER)}
        return min(self.prices, key=lambda price: order.get(price.unit, len(order)), default=None)

    @property
    def ridge_flop_byte(self) -> float:
        """Peak 16-bit FLOP/s over peak bandwidth: operators of less FLOP per byte are bound by memory."""
        return self.fp16_flops / self.bandwidth_bytes_s


_RATE, _SHARE, _CLOCK = (1.0, 1e30), (1e-6, 1.0), (1.0, 1e15)
_LIMITS = {
    **dict.fromkeys(("fp16_flops", "fp8_flops", "int8_ops", "bandwidth_bytes_s", "link_bytes_s"), _RATE),
    **dict.fromkeys(("compute_efficiency", "memory_efficiency", "link_efficiency"), _SHARE),
    "tdp_w": (1e-3, 1e9),
    "idle_w": (0.0, 1e9),
    **dict.fromkeys(("clock_least_hz", "clock_most_hz", "clock_step_hz"), _CLOCK),
    **dict.fromkeys(("dispatch_s", "link_latency_s"), (0.0, 1.0)),
    "memory_bytes": (1.0, 1e18),
    "saturation_share": (1e-6, 1.0),
    "compute_share": (1e-6, math.inf),
    "sharpness": (1.0, math.inf),
}
"""Least and largest value of each number: generous, but so that no time over- or underflows."""
