"""A chip: what its data sheet says, and what share of it is achievable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orsched.checks import check_number, check_whole
from orsched.errors import InputError

Topology = Literal["ring", "fully-connected"]


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
        Largest group for which the links are known; None: no limit is known.
    topology : str
        ``ring`` or ``fully-connected``: which all-reduce the links are used for.
    sms : int, optional
        Streaming multiprocessors (or what takes their place).
    clock_least_hz, clock_most_hz, clock_step_hz : float, optional
        Grid of core clocks.
    saturation_share : float, optional
        Share of the SMs that draws the full memory bandwidth.
    prices : tuple of Price
        What it costs, the preferred one first.
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
    prices: tuple[Price, ...] = field(default=(), repr=False)
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False, compare=False)
    notes: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name in ("fp16_flops", "memory_bytes", "bandwidth_bytes_s"):
            check_number(self, name, above=True)
        for name in ("compute_efficiency", "memory_efficiency", "link_efficiency"):
            check_number(self, name, above=True, most=1.0)
        check_number(self, "dispatch_s", most=1.0)
        for name in ("fp8_flops", "int8_ops", "tdp_w", "link_bytes_s", *_CLOCKS):
            if getattr(self, name) is not None:
                check_number(self, name, above=True)
        for name in ("idle_w", "link_latency_s"):
            if getattr(self, name) is not None:
                check_number(self, name)
        if self.saturation_share is not None:
            check_number(self, "saturation_share", above=True, most=1.0)
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
    def ridge_flop_byte(self) -> float:
        """Peak 16-bit FLOP/s over peak bandwidth: operators of less FLOP per byte are bound by memory."""
        return self.fp16_flops / self.bandwidth_bytes_s


_CLOCKS = ("clock_least_hz", "clock_most_hz", "clock_step_hz")
